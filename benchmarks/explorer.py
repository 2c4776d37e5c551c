"""Open every page of the web app on 100,000 images and 5,000,000 answers (5 models x 10 prompts), each with its raw reply.

Seconds are of the script that Streamlit runs for a visitor, in one process that has opened one page before: the first view of a page,
for which nothing is cached. `--home FOLDER` keeps the database for another time.
"""

import argparse
import logging
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl
import yaml
from analytics import LABELS, cell_digest, write_cell, write_images
from PIL import Image

from eve_pipeline.settings import PROJECT, Settings
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publish
from eve_pipeline.warehouse.tables import write_table

DATASET, MODELS, PROMPTS = "pictures", 5, 10
MAX_SECONDS = 2.0
VIEWS = {
    "leaderboard": {},
    "leaderboard, sentiment": {"level": "sentiment"},
    "model": {"model": "model-3"},
    "model, a cell's images": {"model": "model-3", "truth": "fear", "said": "awe"},
    "compare models": {"what": "models", "one": "model-1", "other": "model-4"},
    "compare prompts": {"what": "prompts", "first_prompt": "prompt-2", "second_prompt": "simple"},
    "prompts": {"model": "model-2"},
    "images": {"prompt": "prompt-4"},
    "images, all models wrong": {"prompt": "prompt-5", "agreement": "all models wrong", "order": "most wrong first"},
    "images, category I of one": {"prompt": "prompt-6", "of": "model-2", "outcome": "error category I"},
    "image": {"dataset": DATASET, "image": "image_00012345.jpg"},
    "image, all replies": {"dataset": DATASET, "image": "image_00054321.jpg", "by": "all", "asked": "all"},
    "open_answers": {},
    "costs": {},
    "sql": {},
}


def main() -> None:
    """Make the database where it is not there yet, and open each page in a process of its own."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--images", type=int, default=100_000)
    arguments.add_argument("--home", type=Path)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=options.home or Path(folder) / "home")
        if not Warehouse.of(settings).database.exists():
            make(settings, options.images)
        subprocess.run([sys.executable, __file__, "--measure"], env=os.environ | {"EVE_HOME": str(settings.home)}, check=True)


def measure() -> None:
    """Open every view once, and print how long each took."""
    from streamlit.testing.v1 import AppTest

    logging.getLogger("streamlit").setLevel(logging.ERROR)  # that a script runs without a browser
    app = PROJECT / "eve_pipeline" / "explorer" / "app.py"
    AppTest.from_file(app, default_timeout=120).run()
    for name, parameters in VIEWS.items():
        page = AppTest.from_file(app, default_timeout=120).run()
        page.switch_page(f"views/{name.split(',')[0].split(' ')[0]}.py")
        for key, value in parameters.items():
            page.query_params[key] = value
        started, used = time.perf_counter(), time.process_time()
        page.run()
        seconds, cpu = time.perf_counter() - started, time.process_time() - used
        print(f"{name:<28} {seconds:5.2f} s, {cpu:5.2f} s of processors{'' if seconds < MAX_SECONDS else '   MISSED'}", flush=True)
        if page.exception:
            raise RuntimeError(page.exception[0].value)


def make(settings: Settings, n_images: int) -> None:
    """Write pictures, answers, requests and replies, and publish them."""
    warehouse, random = Warehouse.of(settings), np.random.default_rng(0)
    truth = random.integers(0, len(LABELS), n_images)
    images = write_images(DATASET, truth, warehouse)
    folder = settings.home / "files"
    folder.mkdir(parents=True)
    for name in images["path"].head(1_000):
        Image.fromarray(random.integers(0, 256, (60, 80, 3), dtype=np.uint8)).resize((800, 600)).save(folder / name)
    entry = settings.home / "datasets" / f"{DATASET}.yaml"
    entry.parent.mkdir(parents=True)
    entry.write_text(yaml.safe_dump({"reader": "folder", "path": str(folder), "labels": list(LABELS)}))
    for model in range(MODELS):
        for prompt in range(PROMPTS):
            cell = {"model": f"model-{model}", "subset": DATASET, "prompt": "simple" if prompt == 0 else f"prompt-{prompt}"}
            write_cell(images["image_id"], truth, cell, warehouse, random)
            write_replies(images, cell, warehouse)
    print(f"{n_images:,} images, {n_images * MODELS * PROMPTS:,} answers")
    started = time.perf_counter()
    publish(warehouse, settings)
    print(f"published in {time.perf_counter() - started:.0f} s")


def write_replies(images: pl.DataFrame, cell: dict[str, str], warehouse: Warehouse) -> None:
    """Write the requests of a cell and a reply to each."""
    digest, task = cell_digest(cell), f"{DATASET}.{cell['prompt']}"
    keys = pl.Series("request_key", [sha256(f"{digest}{name}".encode()).hexdigest() for name in images["image_id"]])
    fixed = cell | {"dataset": DATASET, "config_digest": digest, "repeat": 0, "origin": "asked"}
    requests = images.select("image_id", image_sha256="sha256").with_columns(keys, **{name: pl.lit(value) for name, value in fixed.items()})
    write_table(requests, "requests", warehouse.file("requests", cell["model"], task))
    reply = {"text": '{"prediction": "fear"}', "delivery": "received", "attempts": 1, "latency_ms": 200.0, "created_at": datetime.now(UTC)}
    responses = keys.to_frame().with_columns(**{name: pl.lit(value) for name, value in reply.items()})
    schema = contracts()["responses"].polars_schema
    write_table(
        responses.cast({name: schema[name] for name in responses.columns}), "responses",
        warehouse.folder("responses") / cell["model"] / task / "part-01M85200WNX7R4CQV61X7TAYE0.parquet",
    )  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:] == ["--measure"]:
        measure()
    else:
        main()
