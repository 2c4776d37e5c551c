"""A published warehouse of two models' answers to 40 images, written by hand, to draw studies from."""

import shutil
from pathlib import Path

import duckdb
import polars as pl
import pytest

from eve_pipeline.annotation.answers import Answer
from eve_pipeline.annotation.sampling import Wanted
from eve_pipeline.annotation.studies import make_study, sheet
from eve_pipeline.warehouse.paths import Warehouse

LABELS = ("amusement", "contentment", "fear", "sadness")
AFFECT = {
    "amusement": ("positive", "high"),
    "contentment": ("positive", "low"),
    "fear": ("negative", "high"),
    "sadness": ("negative", "low"),
}
N = 40


def answers() -> pl.DataFrame:
    """Model `one` errs about every second image, `two` about every fourth; about every eighth they err alike."""
    rows = []
    for number in range(N):
        truth = LABELS[number % 4]
        for model, every, step in (("one", 2, 1), ("two", 4, 1 if number % 8 == 0 else 2)):
            wrong = LABELS[(number + step) % 4]
            label = wrong if number % every == 0 else truth
            cell = {"dataset": "hand", "subset": "hand", "prompt": "simple", "config_digest": f"digest-{model}", "model": model}
            rows.append({**cell, "image_id": f"{number:02}", "repeat": 0, "status": "ok", "label": label})
    return pl.DataFrame(rows)


@pytest.fixture(scope="session")
def published_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with what sampling reads of a publication, and nothing else; a study of 12 errors and 3 control items."""
    made = Warehouse(tmp_path_factory.mktemp("annotation"))
    folder = made.publications / "01KAXS7X0000000000000000AA"
    folder.mkdir(parents=True)
    images = pl.DataFrame([{"dataset": "hand", "image_id": f"{n:02}", "label": LABELS[n % 4]} for n in range(N)])
    affect = pl.DataFrame([{"scheme": "circumplex", "emotion": e, "sentiment": s, "arousal": a} for e, (s, a) in AFFECT.items()])
    with duckdb.connect(folder / "eve.duckdb") as connection:
        for name, rows in {"raw.images": images, "staging.stg_answers": answers(), "seeds.affect_schemes": affect}.items():
            connection.execute(f"create schema if not exists {name.split('.')[0]}")
            connection.register("rows", rows).execute(f"create table {name} as select * from rows")
    made.database.symlink_to(folder.relative_to(made.home) / "eve.duckdb")
    make_study("hand", Wanted(n=12, controls=0.25), made)
    return made.home


@pytest.fixture
def warehouse(published_home: Path, tmp_path: Path) -> Warehouse:
    """A copy of it."""
    return Warehouse(Path(shutil.copytree(published_home, tmp_path / "home", symlinks=True)))


@pytest.fixture
def study() -> str:
    """The study's name."""
    return "hand"


def answer(warehouse: Warehouse, study: str, task: str, name: str = "ada", **given: object) -> Answer:
    """An answer to a question as that annotator is shown it now; by default both words fit."""
    shown = sheet(study, name, warehouse).filter(task=task).select("first", "second").row(0)
    return Answer.model_validate({"task": task, "shown_order": shown, "choice": "both"} | given)
