"""Open answers under every threshold, against scikit-learn; the words that no string decides."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, f1_score

from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publish
from eve_pipeline.warehouse.tables import write_table
from tests.sql_models.conftest import config, image

LABELS = ("awe", "fear", "sadness")
WORDS = {"terror": ("fear", 0.58), "gloom": ("sadness", 0.44), "wonder": ("awe", 0.62), "happy": ("awe", 0.5)}
CELL = {"model": "m", "subset": "d", "prompt": "open"}
N = 200


def answer(random: np.random.Generator, number: int) -> dict[str, object]:
    """A label, a word near one, a generic word, something that names two labels, or a status that is no answer."""
    row = {"image_id": f"{number:03}", "label": None, "raw_label": None, "match": None, "nearest_label": None, "similarity": None}
    kind = random.choice(["label", "word", "both", "refusal", "error"], p=[0.4, 0.4, 0.1, 0.05, 0.05])
    if kind == "label":
        label = str(random.choice(LABELS))
        return row | {"status": "ok", "label": label, "raw_label": label, "match": "exact"}
    if kind == "word":
        word = str(random.choice(list(WORDS)))
        nearest, similarity = WORDS[word]
        match = None if word == "happy" else "embedding"
        said = {"raw_label": word.title(), "match": match, "nearest_label": nearest, "similarity": similarity}
        return row | said | {"status": "out_of_vocabulary"}
    return row | {"status": "out_of_vocabulary" if kind == "both" else kind, "raw_label": "awe or fear" if kind == "both" else None}


@pytest.fixture(scope="module")
def answers() -> pl.DataFrame:
    random = np.random.default_rng(4)
    cell = CELL | {"dataset": "d", "repeat": 0, "config_digest": "open", "parser_version": "1+m", "is_current": True}
    return pl.DataFrame([cell | answer(random, number) for number in range(N)], infer_schema_length=None)


@pytest.fixture(scope="module")
def images() -> pl.DataFrame:
    random = np.random.default_rng(5)
    rows = [
        image("d", number, None if number % 9 == 0 else str(random.choice(LABELS)), "tie" if number % 9 == 0 else "single")
        for number in range(N)
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, answers: pl.DataFrame, images: pl.DataFrame) -> Callable[[str], pl.DataFrame]:
    """A function that returns the rows of a mart."""
    settings = Settings(home=tmp_path_factory.mktemp("eve"))
    warehouse = Warehouse.of(settings)
    write_table(images, "images", warehouse.file("images", "d"))
    write_table(answers, "answers", warehouse.file("answers", "m", "d.open"))
    configs = config(CELL, "open", is_current=True).with_columns(is_open=pl.lit(value=True))
    write_table(configs, "configs", warehouse.file("configs", "m", "d.open"))
    database: Path = publish(warehouse, settings)

    def read(name: str) -> pl.DataFrame:
        with duckdb.connect(database, read_only=True) as connection:
            return connection.table(f"marts.{name}").pl()

    return read


def test_every_threshold_equals_scikit_learn(rows, answers, images):
    sweep = rows("open_vocabulary").sort("threshold")
    assert sweep["threshold"].to_list() == pytest.approx(np.arange(0.3, 0.91, 0.05))
    labelled = answers.join(images.select("image_id", truth="label"), on="image_id").filter(pl.col("truth").is_not_null())
    scored = labelled.filter(pl.col("status") != "error")
    for row in sweep.rows(named=True):
        near = (pl.col("match") == "embedding") & (pl.col("similarity") >= row["threshold"])
        said = scored.select(
            pl.when(pl.col("status") == "ok").then("label").when(near).then("nearest_label").otherwise(pl.lit("__none__"))
        ).to_series()
        truth = scored["truth"]
        assert row["weighted_f1"] == pytest.approx(f1_score(truth, said, labels=LABELS, average="weighted", zero_division=0), abs=1e-9)
        assert row["macro_f1"] == pytest.approx(f1_score(truth, said, labels=LABELS, average="macro", zero_division=0), abs=1e-9)
        assert row["accuracy"] == pytest.approx(accuracy_score(truth, said))
        assert row["fine_grained_rate"] == pytest.approx((said != "__none__").mean())
        assert (row["n_items"], row["n"]) == (labelled.height, scored.height)
        assert row["n_generic"] == (scored["raw_label"] == "Happy").sum()


def test_every_threshold_has_intervals_around_its_scores(rows):
    sweep = rows("open_vocabulary")
    for metric in ("fine_grained_rate", "weighted_f1", "macro_f1", "accuracy"):
        assert ((sweep[f"{metric}_low"] < sweep[metric]) & (sweep[metric] < sweep[f"{metric}_high"])).all()


def test_the_default_threshold_is_what_is_published(rows):
    (default,) = rows("open_vocabulary").filter("is_default").rows(named=True)
    (strict,) = rows("weighted_f1").filter(scoring="strict").rows(named=True)
    assert default["threshold"] == pytest.approx(0.6)
    assert default["weighted_f1"] == pytest.approx(strict["weighted_f1"])
    assert (default["n_items"], default["n"], default["n_matched_by_string"] + default["n_matched_by_embedding"]) == (
        strict["n_items"],
        strict["n"],
        strict["n_answered"],
    )


def test_words_are_counted_with_what_they_are_near_to(rows, answers):
    words = rows("unmatched_words").sort("word")
    assert words["word"].to_list() == ["awe or fear", *sorted(WORDS)]
    received = answers.filter(pl.col("status") != "error").height
    for row in words.rows(named=True):
        assert row["n"] == (answers["raw_label"].str.to_lowercase() == row["word"]).sum()
        assert row["share"] == pytest.approx(row["n"] / received)
        assert (row["nearest_label"], row["similarity"]) == WORDS.get(row["word"], (None, None))
        assert row["is_generic"] == (row["word"] == "happy")
    assert not words["is_complete"].any()
