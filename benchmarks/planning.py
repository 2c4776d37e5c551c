"""Plan 36 cells of 1,000,000 stored responses in which nothing is missing, against the bare anti-join of two key columns.

Each figure is of a fresh process, the median of three; seconds count from after the imports, memory is the process's peak.
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from statistics import median

import duckdb
import polars as pl
import yaml
from PIL import Image
from ratio import report

from eve_pipeline.datasets.adding import add_dataset
from eve_pipeline.prompts.variants import prompt_variants
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.planning import plan_cells
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.compaction import compact
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import contract_metadata, write_table

N_IMAGES, N_MODELS, N_PROMPTS, N_SMALL_PARTS, ROUNDS = 27_778, 4, 9, 60_000, 3
MAX_SECONDS, MAX_MB, MAX_SLOWER = 2.0, 1000, 3.0


def main() -> None:
    """Make the data, measure, print."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home")
        warehouse, cells = Warehouse.of(settings), make_grid(settings)
        write_parts(cells, settings, n_parts=len(cells))
        print(f"{len(cells)} cells, {N_IMAGES * len(cells):,} stored responses")
        few = in_processes("plan", settings)
        bare = in_processes("anti_join", settings)
        tell("few parts", few, bare)
        shutil.rmtree(warehouse.folder("responses"))
        write_parts(cells, settings, n_parts=N_SMALL_PARTS)
        shutil.rmtree(settings.home / "cache" / "response_index")
        print(f"{N_SMALL_PARTS:,} parts, without an index: {in_process('plan', settings)['seconds']:.2f} s")
        many = in_processes("plan", settings)
        tell("small parts", many, few, peer_name="few parts", target=MAX_SLOWER)
        started = time.perf_counter()
        compact(warehouse)
        compacted_s = time.perf_counter() - started
        print(f"compaction: {compacted_s:.2f} s; the first planning after it: {in_process('plan', settings)['seconds']:.2f} s")
        tell("compacted", in_processes("plan", settings), few, peer_name="few parts", target=MAX_SLOWER)


def tell(name: str, ours: dict[str, float], peer: dict[str, float], peer_name: str = "bare", target: float | None = None) -> None:
    """Print one comparison, and whether time and memory are within bounds."""
    report(name, ours["seconds"], peer["seconds"], target or MAX_SECONDS / peer["seconds"], unit="s", peer_name=peer_name)
    reached = ours["seconds"] < MAX_SECONDS and ours["mb"] < MAX_MB
    print(f"{'':<12}   {ours['seconds']:.2f} s < {MAX_SECONDS:.0f} s, {ours['mb']:.0f} MB < {MAX_MB} MB{'' if reached else '   MISSED'}")


def in_processes(what: str, settings: Settings) -> dict[str, float]:
    """Return the medians of what several fresh processes say, after one to warm up."""
    said = [in_process(what, settings) for _ in range(ROUNDS + 1)][1:]
    return {name: median(one[name] for one in said) for name in said[0]}


def in_process(what: str, settings: Settings) -> dict[str, float]:
    """Return seconds and peak megabytes of one fresh process."""
    command = [sys.executable, __file__, what, str(settings.home)]
    said: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return said


def plan(settings: Settings) -> int:
    """Plan every cell and return how many requests are missing."""
    return sum(plan.missing.height for plan in plan_cells(grid(settings), settings))


def anti_join(settings: Settings) -> int:
    """Return how many keys of `requests` are not in `responses`, by DuckDB over their files."""
    warehouse = Warehouse.of(settings)
    with duckdb.connect() as connection:
        wanted, stored = (
            connection.read_parquet([str(file) for file in warehouse.files(table)]).project("request_key")
            for table in ("requests", "responses")
        )
        return wanted.join(stored, "request_key", how="anti").aggregate("count(*)").fetchall()[0][0]  # type: ignore[no-any-return]


def child(measured: Callable[[Settings], int], home: str) -> None:
    """Measure one call and print seconds and peak megabytes."""
    started = time.perf_counter()
    n_missing = measured(Settings(home=Path(home)))
    seconds = time.perf_counter() - started
    if n_missing:
        sys.exit(f"{n_missing} requests are missing")
    print(json.dumps({"seconds": seconds, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def grid(settings: Settings) -> list[Cell]:
    """Return the cells."""
    prompts = [prompt.key for prompt in prompt_variants(settings).values() if not prompt.is_family][:N_PROMPTS]
    return [Cell(f"model-{number}", "photos", prompt) for number in range(N_MODELS) for prompt in prompts]


def make_grid(settings: Settings) -> list[Cell]:
    """Write models, a dataset of drawn numbers, and each cell's configs and requests."""
    warehouse, photographs = Warehouse.of(settings), settings.home.parent / "photographs"
    (photographs / "awe").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(photographs / "awe" / "0.jpg")  # a dataset without pictures is refused
    endpoint = {"backend": "openai", "revision": "1", "base_url": "http://127.0.0.1:9/v1"}
    models = {f"model-{number}": {"id": f"m{number}", **endpoint} for number in range(N_MODELS)}
    settings.home.mkdir()
    (settings.home / "models.yaml").write_text(yaml.safe_dump(models))
    add_dataset("photos", "folder", photographs, settings, labels="mikels")
    numbers = pl.select(number=pl.int_range(N_IMAGES))["number"]
    fixed = {"dataset": "photos", "width": 800, "height": 600, "bytes": 90_000, "label": "awe", "label_status": "single"}
    digests = [sha256(str(number).encode()).hexdigest() for number in numbers]
    images = pl.DataFrame({"image_id": numbers.cast(pl.String), "path": [f"awe/{number}.jpg" for number in numbers], "sha256": digests})
    write_table(images.with_columns(**{name: pl.lit(value) for name, value in fixed.items()}), "images", warehouse.file("images", "photos"))
    items = images.select("image_id", subset=pl.lit("photos"), dataset=pl.lit("photos"))
    write_table(items, "benchmark_items", warehouse.file("benchmark_items", "photos"))
    for planned in plan_cells(grid(settings), settings):
        cell = planned.cell
        write_table(planned.configs, "configs", warehouse.file("configs", cell.model, cell.task))
        write_table(planned.requests, "requests", warehouse.file("requests", cell.model, cell.task))
    return grid(settings)


def write_parts(cells: list[Cell], settings: Settings, n_parts: int) -> None:
    """Write a reply to every request of the cells into `n_parts` files."""
    warehouse, contract = Warehouse.of(settings), contracts()["responses"]
    reply = {
        "text": '{"prediction": "awe"}',
        "finish_reason": "stop",
        "delivery": "received",
        "attempts": 1,
        "created_at": datetime.now(UTC),
    }
    for cell in cells:
        keys = pl.read_parquet(warehouse.file("requests", cell.model, cell.task), columns=["request_key"])
        replies = contract.conform(keys.with_columns(**{name: pl.lit(value) for name, value in reply.items()}))
        for number, part in enumerate(cut(replies, n_parts // len(cells))):
            file = warehouse.file("responses", cell.model, cell.task, f"part-{number:026}")
            file.parent.mkdir(parents=True, exist_ok=True)
            part.write_parquet(file, metadata=contract_metadata(contract))


def cut(frame: pl.DataFrame, n_parts: int) -> Iterator[pl.DataFrame]:
    """Yield the frame in `n_parts` parts of equal length, give or take one."""
    ends = [frame.height * number // n_parts for number in range(n_parts + 1)]
    return (frame[start:end] for start, end in pairwise(ends))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child({"plan": plan, "anti_join": anti_join}[sys.argv[1]], sys.argv[2])
    else:
        main()
