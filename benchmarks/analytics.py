"""Score 10,000,000 answers (7 models x 5 datasets x 9 prompts), against a bare scan-and-group of the same Parquet and scikit-learn.

`--rows 100_000_000` for more; `--publish` also times a whole publication. Each figure is of a fresh process: seconds count from after
the imports, memory is the process's peak.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import numpy as np
import polars as pl
from ratio import report

from eve_pipeline.settings import Settings
from eve_pipeline.statistics.bootstrap import DRAWS
from eve_pipeline.statistics.computing import keep_in
from eve_pipeline.statistics.intervals import SCHEMA, cell_intervals
from eve_pipeline.statistics.sheets import read_subsets
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publication, publish, run_dbt
from eve_pipeline.warehouse.tables import write_table

MODELS, DATASETS, PROMPTS = 7, 5, 9
LABELS = ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness")
ROUNDS, SAMPLED_CELLS = 7, 6
DBT_THREADS = 2  # as in dbt_like_models/profiles.yml
RIGHT, REFUSED = 0.5, 0.02
MAX_SLOWER, MAX_MB, MAX_INTERVAL_S = 3.0, 2048, 15.0
SCORED = (
    "confusion_counts", "cells", "affect_counts", "graded_counts", "class_scores", "f1_scores", "weighted_f1", "affect_f1", "per_class_f1",
    "confusion", "sentiment_bias", "error_categories", "coverage",
)  # fmt: skip
BARE = "select model, dataset, subset, prompt, status, label, count(*) from read_parquet($answers) group by all"
LABELLED = """
    select model, dataset, subset, prompt, images.label as truth, status, answers.label, count(*)
    from read_parquet($answers) as answers join read_parquet($images) as images using (dataset, image_id) group by all
"""


def main() -> None:
    """Make the data, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=10_000_000)
    arguments.add_argument("--publish", action="store_true")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home")
        n = make_answers(settings, options.rows)
        print(f"{n:,} answers in {MODELS * DATASETS * PROMPTS} cells")
        compile_models(settings)
        bare, labelled, ours = in_processes(("bare", "labelled", "scores"), settings)
        report("scores", ours["seconds"], bare["seconds"], MAX_SLOWER, unit="s", peer_name="scan-and-group")
        print(f"{'':<14} of all cores {ours['cpu']:.2f} s, {bare['cpu']:.2f} s: {ours['cpu'] / bare['cpu']:.2f} times")
        print(f"{'':<14} with labels joined, without which nothing can be scored: {labelled['seconds']:.2f} s")
        bounded("memory", ours["mb"], MAX_MB, "MB")
        sklearn = in_process("sklearn", settings)
        report("scikit-learn", ours["seconds"], sklearn["seconds"], 1, unit="s", peer_name="f1_score a cell")
        drawn = in_process("intervals", settings)
        bounded("intervals", drawn["seconds"], MAX_INTERVAL_S, "s")
        print(f"{'':<14} reading the answers {drawn['reading']:.1f} s, {drawn['mb']:.0f} MB; {DRAWS:,} draws of scikit-learn's loop")
        print(f"{'':<14} would take {drawn['sklearn'] / 3600:.0f} h, {drawn['sklearn'] / drawn['seconds']:,.0f} times as long")
        if options.publish:
            print(f"a whole publication: {in_process('publication', settings)['seconds']:.0f} s")


def bounded(name: str, value: float, most: float, unit: str) -> None:
    """Print one figure beside its bound."""
    print(f"{name:<14} {value:.1f} {unit} < {most:.0f} {unit}{'' if value < most else '   MISSED'}")


def in_processes(what: tuple[str, ...], settings: Settings) -> list[dict[str, float]]:
    """Return the medians of what several fresh processes of each kind say, in turn: a machine changes its pace; the first warms up."""
    rounds = [[in_process(one, settings) for one in what] for _ in range(ROUNDS + 1)][1:]
    return [{name: median(one[name] for one in said) for name in said[0]} for said in zip(*rounds, strict=True)]


def in_process(what: str, settings: Settings) -> dict[str, float]:
    """Return what one fresh process measures."""
    done = subprocess.run([sys.executable, __file__, "--measure", what, str(settings.home)], capture_output=True, text=True, check=True)
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return said


def scores(settings: Settings) -> dict[str, float]:
    """Run the compiled SQL models, their sources views over the Parquet files; `intervals` is measured by itself and empty here."""
    warehouse = Warehouse.of(settings)
    with duckdb.connect(":memory:eve") as connection:
        connection.execute("SET preserve_insertion_order = false; SET memory_limit = '1500MB'")
        connection.execute("SET parquet_metadata_cache = true")  # a publication reads tables, whose metadata it has
        connection.execute("ATTACH ':memory:' AS publication; USE publication")
        for schema in ("raw", "staging", "intermediate", "marts", "seeds"):
            connection.execute(f"CREATE SCHEMA {schema}")
        for table in ("answers", "images"):
            files = [str(file) for file in warehouse.files(table)]
            connection.read_parquet(files).create_view("found", replace=True)
            connection.execute(f"CREATE VIEW raw.{table} AS {connection.read_parquet(files).sql_query()}")
        empty = pl.DataFrame(schema=SCHEMA)
        connection.register("empty_intervals", empty)
        connection.execute("CREATE TABLE intermediate.intervals AS FROM empty_intervals")
        models = json.loads((settings.home / "models.json").read_text())
        for name in ("stg_answers_ever", "stg_answers", "stg_images"):
            connection.execute(f"CREATE VIEW staging.{name} AS {models[name]['sql']}")
        connection.execute(f"CREATE TABLE seeds.affect_schemes AS FROM read_csv('{models['affect_schemes']['sql']}')")
        started, used = time.perf_counter(), time.process_time()
        build(models, connection)
        seconds, cpu = time.perf_counter() - started, time.process_time() - used
        n_scored = connection.sql("select sum(n) from intermediate.confusion_counts").fetchall()[0][0]
        print(n_scored, file=sys.stderr)
    return {"seconds": seconds, "cpu": cpu}


def build(models: dict[str, dict[str, Any]], connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables as dbt does: `threads` of them at once, each as soon as those are there that it reads."""

    def create(name: str) -> str:
        with connection.cursor() as cursor:
            cursor.execute("USE publication")
            cursor.execute(f"CREATE TABLE {models[name]['schema']}.{name} AS {models[name]['sql']}")
        return name

    waiting = TopologicalSorter({name: [before for before in models[name]["reads"] if before in SCORED] for name in SCORED})
    waiting.prepare()
    with ThreadPoolExecutor(DBT_THREADS) as threads:
        running: set[Future[str]] = set()
        while waiting.is_active():
            running |= {threads.submit(create, name) for name in waiting.get_ready()}
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for finished in done:
                waiting.done(finished.result())


def bare(settings: Settings) -> dict[str, float]:
    """Count answers by cell, status and label."""
    return counting(BARE, settings, "answers")


def labelled(settings: Settings) -> dict[str, float]:
    """Count them by their images' labels too: what anybody would write, and from which an F1 can be computed."""
    return counting(LABELLED, settings, "answers", "images")


def counting(query: str, settings: Settings, *tables: str) -> dict[str, float]:
    """Run a query of tables' files."""
    files = {table: [str(file) for file in Warehouse.of(settings).files(table)] for table in tables}
    with duckdb.connect() as connection:
        started, used = time.perf_counter(), time.process_time()
        connection.execute(query, files).fetchall()
        return {"seconds": time.perf_counter() - started, "cpu": time.process_time() - used}


def sklearn(settings: Settings) -> dict[str, float]:
    """Score some cells by scikit-learn, one after the other, and scale to all; reading is not counted."""
    from sklearn.metrics import f1_score

    cells = [cell_frame(file, settings) for file in Warehouse.of(settings).files("answers")[:SAMPLED_CELLS]]
    started = time.perf_counter()
    for truth, said in cells:
        f1_score(truth, said, labels=LABELS, average="weighted", zero_division=0)
    return {"seconds": (time.perf_counter() - started) / SAMPLED_CELLS * MODELS * DATASETS * PROMPTS}


def intervals(settings: Settings) -> dict[str, float]:
    """Draw the intervals of every score of every cell."""
    from sklearn.metrics import f1_score

    warehouse = Warehouse.of(settings)
    schemes = pl.read_csv(settings.dbt_project / "seeds" / "affect_schemes.csv")
    with duckdb.connect() as connection:
        answers = connection.read_parquet([str(file) for file in warehouse.files("answers")])
        images = connection.read_parquet([str(file) for file in warehouse.files("images")]).project(
            "dataset, image_id, label, null::varchar as rating_sentiment, null::varchar as rating_arousal"
        )
        reading = drawing = 0.0
        started = time.perf_counter()
        for subset in read_subsets(answers, images):
            reading += time.perf_counter() - started
            started = time.perf_counter()
            cell_intervals(subset, schemes, keep_in(None))
            drawing += time.perf_counter() - started
            started = time.perf_counter()
    truth, said = cell_frame(warehouse.files("answers")[0], settings)
    started = time.perf_counter()
    f1_score(truth, said, labels=LABELS, average="weighted", zero_division=0)
    loop = (time.perf_counter() - started) * DRAWS * MODELS * DATASETS * PROMPTS
    return {"seconds": drawing, "reading": reading, "sklearn": loop}


def publication_seconds(settings: Settings) -> dict[str, float]:
    """Publish, with all comparisons, tests and the copy of the answers."""
    started = time.perf_counter()
    publish(Warehouse.of(settings), settings)
    return {"seconds": time.perf_counter() - started}


def cell_frame(file: Path, settings: Settings) -> tuple[list[str], list[str]]:
    """Return truths and strict answers of a cell."""
    answers = pl.read_parquet(file, columns=["dataset", "image_id", "label"])
    images = pl.read_parquet(Warehouse.of(settings).file("images", answers["dataset"][0]), columns=["image_id", "label"])
    joined = answers.join(images, on="image_id", suffix="_true")
    return joined["label_true"].to_list(), joined["label"].fill_null("__none__").to_list()


def compile_models(settings: Settings) -> None:
    """Let dbt compile the project's models, and keep the SQL of those that are measured."""
    empty = Settings(home=settings.home.parent / "empty")
    with publication(Warehouse.of(empty), empty) as building:
        run_dbt(building, "build", "--exclude-resource-type", "unit_test", "test")
        manifest = json.loads((building.target / "manifest.json").read_text())
        catalog = building.database.stem
        nodes = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] in {"model", "seed"}}
        found = {}
        for name in ("stg_answers_ever", "stg_answers", "stg_images", *SCORED):
            text = (Path(building.target) / "compiled" / "eve" / nodes[name]["original_file_path"]).read_text()
            reads = [parent.rpartition(".")[2] for parent in nodes[name]["depends_on"]["nodes"]]
            found[name] = {"schema": nodes[name]["schema"], "sql": text.replace(f'"{catalog}".', ""), "reads": reads}
    found["affect_schemes"] = {"schema": "seeds", "sql": str(settings.dbt_project / "seeds" / "affect_schemes.csv")}
    (settings.home / "models.json").write_text(json.dumps(found))


def make_answers(settings: Settings, n_rows: int) -> int:
    """Write images, configs and answers; every cell is right in about half of the cases, and refuses some."""
    warehouse, random = Warehouse.of(settings), np.random.default_rng(0)
    n_images = n_rows // (MODELS * DATASETS * PROMPTS)
    for number in range(DATASETS):
        dataset = f"dataset-{number}"
        truth = random.integers(0, len(LABELS), n_images)
        names = write_images(dataset, truth, warehouse)["image_id"]
        for model in range(MODELS):
            for prompt in range(PROMPTS):
                cell = {"model": f"model-{model}", "subset": dataset, "prompt": "simple" if prompt == 0 else f"prompt-{prompt}"}
                write_cell(names, truth, cell, warehouse, random)
    return n_images * MODELS * DATASETS * PROMPTS


def write_images(dataset: str, truth: np.ndarray, warehouse: Warehouse) -> pl.DataFrame:
    """Write the images of a dataset, named by their number, and return them."""
    names = pl.Series([f"image_{place:08}.jpg" for place in range(len(truth))])
    fixed = {"dataset": dataset, "width": 800, "height": 600, "bytes": 90_000, "label_status": "single"}
    images = pl.DataFrame({"image_id": names, "path": names, "sha256": [sha256(name.encode()).hexdigest() for name in names]})
    labelled = images.with_columns(label=pl.Series(np.array(LABELS)[truth]), **{name: pl.lit(value) for name, value in fixed.items()})
    write_table(labelled, "images", warehouse.file("images", dataset))
    return labelled


def write_cell(names: pl.Series, truth: np.ndarray, cell: dict[str, str], warehouse: Warehouse, random: np.random.Generator) -> None:
    """Write one cell's answers and config."""
    n, digest = len(names), cell_digest(cell)
    said = np.where(random.random(n) < RIGHT, truth, random.integers(0, len(LABELS), n))
    refused = random.random(n) < REFUSED
    fixed = cell | {"dataset": cell["subset"], "config_digest": digest, "repeat": 0, "parser_version": "1", "is_current": True}
    labels = pl.Series(np.array(LABELS)[said])
    answers = pl.DataFrame({"image_id": names, "raw_label": labels, "refused": refused}).with_columns(
        label=pl.when(~pl.col("refused")).then("raw_label"),
        match=pl.when(~pl.col("refused")).then(pl.lit("exact")),
        status=pl.when("refused").then(pl.lit("refusal")).otherwise(pl.lit("ok")),
        **{name: pl.lit(value) for name, value in fixed.items()},
    )
    write_table(answers.drop("refused"), "answers", warehouse.file("answers", cell["model"], f"{cell['subset']}.{cell['prompt']}"))
    texts = dict.fromkeys(("model_id", "model_revision", "prompt_revision", "answer_key", "rendered_prompt"), "x")
    asked = {"config_digest": digest, "parameters": "{}", "key_version": 1, "labels": LABELS, "label_order": LABELS}
    row = cell | texts | asked | {"is_open": False, "is_current": True}
    write_table(pl.DataFrame([row]), "configs", warehouse.file("configs", cell["model"], f"{cell['subset']}.{cell['prompt']}"))


def cell_digest(cell: dict[str, str]) -> str:
    """Return what stands for a cell's config digest."""
    return sha256(str(cell).encode()).hexdigest()


MEASURED: dict[str, Callable[[Settings], dict[str, float]]] = {
    "bare": bare, "labelled": labelled, "scores": scores, "sklearn": sklearn, "intervals": intervals, "publication": publication_seconds,
}  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measured = MEASURED[sys.argv[2]](Settings(home=Path(sys.argv[3])))
        print(json.dumps(measured | {"mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
    else:
        main()
