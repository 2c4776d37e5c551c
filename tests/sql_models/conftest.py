"""A warehouse of random answers, published once for all tests of the SQL models."""

from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publish
from eve_pipeline.warehouse.tables import write_table

STATUSES = ("ok", "out_of_vocabulary", "unparseable", "refusal", "content_filter", "error", "missing")
SHARES = (0.7, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05)
EIGHT = ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness")
SEVEN = ("anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral")
N_IMAGES = 120

Image = dict[str, object]


def image(dataset: str, number: int, label: str | None, label_status: str, **ratings: float | None) -> Image:
    return {
        "dataset": dataset,
        "image_id": f"{number:03}",
        "path": f"{number:03}.jpg",
        "sha256": f"{dataset}-{number:03}",
        "width": 64,
        "height": 64,
        "bytes": 1000,
        "label": label,
        "label_status": label_status,
        "votes": [{"label": label, "share": 1.0}] if label else None,
        **ratings,
    }


def labelled(random: np.random.Generator, number: int) -> Image:
    """Every tenth image is a tie."""
    tie = number % 10 == 0
    return image("labelled", number, None if tie else random.choice(EIGHT), "tie" if tie else "single")


def rated(random: np.random.Generator, number: int) -> Image:
    """A scale from 1 to 7 with many valences inside, on and just outside the neutral band; some images have no arousal."""
    arousal = None if number % 7 == 0 else round(random.uniform(1, 7), 1)
    valence = random.choice([1.5, 3.25, 3.5, 3.75, 4.0, 4.5, 4.75, 6.0])
    scale = {"rating_min": 1.0, "rating_max": 7.0, "neutral_band": 0.5}
    return image("rated", number, None, "none", valence=valence, arousal=arousal, **scale)


def mixed(random: np.random.Generator, number: int) -> Image:
    """Labels, one of them in no affect scheme, and ratings; some images have only one of the two, some neither."""
    label = None if number % 4 == 0 else random.choice([*SEVEN, "boredom"])
    ratings = {"valence": random.choice([2.0, 5.0, 8.0]), "arousal": random.choice([2.0, 5.0, 8.0]), "rating_min": 1.0, "rating_max": 9.0}
    return image("mixed", number, label, "single" if label else "none", **({} if number % 3 == 0 else ratings))


def answers(
    random: np.random.Generator, images: pl.DataFrame, labels: Sequence[str], cell: dict[str, str], shares: Sequence[float]
) -> pl.DataFrame:
    """Two answers an image, right in about half of the cases."""
    asked = pl.concat(images.select("dataset", "image_id", "label").with_columns(repeat=pl.lit(repeat)) for repeat in (0, 1))
    status = random.choice(STATUSES, asked.height, p=shares)
    guess = random.choice([*labels, "boredom"], asked.height)
    is_right = random.random(asked.height) < 0.5
    read = [
        (truth if right and truth else said) if state == "ok" else None
        for truth, said, right, state in zip(asked["label"], guess, is_right, status, strict=True)
    ]
    return asked.with_columns(
        label=pl.Series(read, dtype=pl.String),
        status=pl.Series(status),
        config_digest=pl.lit("-".join(cell.values())),
        parser_version=pl.lit("1"),
        is_current=pl.lit(value=True),
        **{name: pl.lit(key) for name, key in cell.items()},
    )


@pytest.fixture(scope="session")
def sql_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("eve"))


@pytest.fixture(scope="session")
def images() -> pl.DataFrame:
    random = np.random.default_rng(7)
    rows = [draw(random, number) for draw in (labelled, rated, mixed) for number in range(N_IMAGES)]
    return pl.DataFrame(rows, infer_schema_length=None)


@pytest.fixture(scope="session")
def current_answers(images: pl.DataFrame) -> pl.DataFrame:
    """Cells of several sizes; in one all items failed, in another all were answered."""
    random = np.random.default_rng(11)
    shares = {"broken": (0, 0, 0, 0, 0, 0.5, 0.5), "perfect": (1, 0, 0, 0, 0, 0, 0)}
    frames = []
    for (dataset,), of_dataset in images.group_by("dataset", maintain_order=True):
        hard = of_dataset.filter(pl.Series(random.random(of_dataset.height) < 0.3))
        for subset, items in ((dataset, of_dataset), (f"{dataset}-hard", hard)):
            for model in ("one", "two", "broken", "perfect"):
                for prompt in ("simple", "positive_persona"):
                    cell = {"model": model, "subset": subset, "prompt": prompt}
                    labels = SEVEN if dataset == "mixed" else EIGHT
                    frames.append(answers(random, items, labels, cell, shares.get(model, SHARES)))
    return pl.concat(frames)


@pytest.fixture(scope="session")
def database(sql_settings: Settings, images: pl.DataFrame, current_answers: pl.DataFrame) -> Path:
    """The published database; its answers hold outdated rows beside the current ones."""
    warehouse = Warehouse.of(sql_settings)
    for (dataset,), rows in images.group_by("dataset"):
        write_table(rows, "images", warehouse.file("images", dataset))
    outdated = current_answers.with_columns(
        config_digest=pl.lit("outdated"), is_current=pl.lit(value=False), status=pl.lit("ok"), label=pl.lit("awe")
    ).unique(["model", "subset", "prompt", "dataset", "image_id", "repeat"])
    for (model, subset, prompt), rows in current_answers.group_by("model", "subset", "prompt"):
        beside = outdated.filter(model=model, subset=subset, prompt=prompt).with_columns(
            config_digest=pl.lit(f"{model}-{subset}-{prompt}-0")
        )
        write_table(pl.concat([rows, beside]), "answers", warehouse.file("answers", model, f"{subset}.{prompt}"))
    return publish(warehouse, sql_settings)


@pytest.fixture(scope="session")
def mart(database: Path) -> Callable[[str], pl.DataFrame]:
    """A function that returns all rows of a mart."""

    def rows(name: str) -> pl.DataFrame:
        with duckdb.connect(database, read_only=True) as connection:
            return connection.table(f"marts.{name}").pl()

    return rows
