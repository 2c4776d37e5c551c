"""Who asks a chat server about the same images: a bare loop, this project, and its peers in environments of their own."""

import asyncio
import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl
import yaml
from api_server import Seen, Server

from eve_pipeline.datasets.adding import add_dataset
from eve_pipeline.datasets.catalogue import build_images
from eve_pipeline.hard_subset.items import build_items
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.extent import Extent
from eve_pipeline.responses.runner import ask_cells
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table

QUESTION = 'Which emotion does the picture evoke? Answer only with JSON: {"prediction": "<emotion>"}'
MODEL, MAX_TOKENS = "stub-vlm", 64
CELL = Cell("stub", "photographs", "benchmark")
PEERS = Path(__file__).with_name("peers")


class Measured(NamedTuple):
    """What a contender took, and what the server saw of it."""

    seconds: float
    seen: Seen


def bare(files: list[Path], server: Server, in_flight: int) -> Measured:
    """Ask with the `openai` client and nothing around it; the replies are dropped."""
    with server.watched() as seen:
        started = time.perf_counter()
        asyncio.run(_bare(files, server.url, in_flight))
        return Measured(time.perf_counter() - started, seen)


async def _bare(files: list[Path], url: str, in_flight: int) -> None:
    from openai import AsyncOpenAI

    waiting = iter(files)
    async with AsyncOpenAI(base_url=url, api_key="none") as client:

        async def work() -> None:
            for file in waiting:
                image = {"url": f"data:image/jpeg;base64,{base64.b64encode(file.read_bytes()).decode()}"}
                content = [{"type": "text", "text": QUESTION}, {"type": "image_url", "image_url": image}]
                await client.chat.completions.create(
                    model=MODEL, messages=[{"role": "user", "content": content}], max_tokens=MAX_TOKENS, temperature=0
                )

        await asyncio.gather(*(work() for _ in range(in_flight)))


class Home:
    """An EVE_HOME with the images as a prepared dataset; each run works on a fresh copy of it."""

    def __init__(self, folder: Path, photographs: Path) -> None:
        self.folder = folder
        settings = Settings(home=folder / "prepared")
        entry = add_dataset(CELL.subset, "folder", photographs, settings, labels="mikels")
        build_images(entry, settings, Warehouse.of(settings))
        build_items(entry, settings, Warehouse.of(settings))
        prompt = {"description": "Benchmark.", "answer_key": "prediction", "open": True, "text": QUESTION}
        _write(settings.home / "prompts" / f"{CELL.prompt}.yaml", prompt)

    def copy(self, server: Server, in_flight: int) -> Settings:
        """Return the settings of a copy in which nothing was asked."""
        home = self.folder / f"home-{time.monotonic_ns()}"
        shutil.copytree(self.folder / "prepared", home)
        entry = {"backend": "openai", "id": MODEL, "base_url": server.url, "parameters": {"max_new_tokens": MAX_TOKENS}}
        _write(home / "models.yaml", {CELL.model: entry | {"limits": {"max_in_flight": in_flight}}})
        return Settings(home=home)


def _write(file: Path, content: Mapping[str, object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(dict(content)), encoding="utf-8")


def ours(settings: Settings, server: Server, limit: int | None = None) -> Measured:
    """Ask as `eve run` does, until every reply is in a Parquet part."""
    with server.watched() as seen:
        started = time.perf_counter()
        outcomes = list(ask_cells([CELL], settings, extent=Extent(limit=limit)))
        measured = Measured(time.perf_counter() - started, seen)
    if failures := [outcome.failure for outcome in outcomes if outcome.failure]:
        raise SystemExit("; ".join(failures))
    return measured


def stored(settings: Settings) -> pl.DataFrame:
    """Return what a run stored: a row a response."""
    return read_table("responses", Warehouse.of(settings).files("responses"))


def eve_run(settings: Settings, server: Server) -> Measured:
    """Run the whole command: ask, read, report to Dagster, publish."""
    command = [str(Path(sys.executable).with_name("eve")), "run", "--model", CELL.model, "--dataset", CELL.subset, "--prompt", CELL.prompt]
    return _child(command, server, settings.home, {"EVE_HOME": str(settings.home)})


def peers(
    folder: Path, environments: Path | None, files: list[Path], server: Server, in_flight: int
) -> Iterator[tuple[str, Measured | str]]:
    """Run each peer with the settings that are best for it; a text says why one was left out."""
    shutil.copytree(PEERS, folder / PEERS.name)
    listing = folder / "listing.jsonl"
    listing.write_text("".join(json.dumps({"image": str(file), "question": QUESTION}) + "\n" for file in files), encoding="utf-8")
    commands = {"inspect_ai": _inspect_ai(listing, server, in_flight), "lmms_eval": _lmms_eval(folder, server, in_flight)}
    offline = {"OPENAI_API_KEY": "none", "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder), "LMMS_IMAGE_ENCODE_FORMAT": "JPEG"}
    for name, (program, *arguments) in commands.items():
        binary = (environments or folder).absolute() / name / "bin" / program
        try:
            yield name, _child([str(binary), *arguments], server, folder, offline)
        except FileNotFoundError:
            yield (
                name,
                f"left out: no {binary.relative_to(environments.absolute())} in {environments}" if environments else "left out: no --peers",
            )
        except ChildProcessError as error:
            yield name, f"failed: {error}"


def _inspect_ai(listing: Path, server: Server, in_flight: int) -> list[str]:
    at_once = [
        "--max-connections",
        str(in_flight),
        "--max-samples",
        str(2 * in_flight),
        "--max-tokens",
        str(MAX_TOKENS),
        "--temperature",
        "0",
    ]
    quiet = ["--no-log-realtime", "--no-log-images", "--display", "none", "--no-score", "--log-dir", str(listing.with_name("logs"))]
    model = ["--model", f"openai-api/stub/{MODEL}", "--model-base-url", server.url, "-M", "api_key=none"]
    return ["inspect", "eval", f"{PEERS.name}/inspect_ai_task.py", "-T", f"listing={listing}", *model, *at_once, *quiet]


def _lmms_eval(folder: Path, server: Server, in_flight: int) -> list[str]:
    model = ["--model", "async_openai", "--model_args", f"model_version={MODEL},base_url={server.url},api_key=none,num_cpus={in_flight}"]
    tasks = ["--tasks", "photographs", "--include_path", f"{PEERS.name}/lmms_eval"]
    return [
        "python",
        "-m",
        "lmms_eval",
        "eval",
        *model,
        *tasks,
        "--batch_size",
        "1",
        "--log_samples",
        "--output_path",
        str(folder / "lmms_logs"),
    ]


def _child(command: list[str], server: Server, folder: Path, variables: Mapping[str, str]) -> Measured:
    with server.watched() as seen:
        started = time.perf_counter()
        done = subprocess.run(command, cwd=folder, env=os.environ | variables, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
    if done.returncode or not seen.requests:
        raise ChildProcessError(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return Measured(seconds, seen)
