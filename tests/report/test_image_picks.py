"""The queries that choose images, on answers of several repeats; numbers are counted by hand."""

from collections.abc import Iterator

import duckdb
import polars as pl
import pytest

from eve_pipeline.report.image_picks import CELL, FLIP_COUNTS, FLIPS, REVISION_FLIPS

SAID = {  # of images whose truth is fear: three answers by each side, None being a refusal
    "a": (["fear", None, None], ["fear", "fear", None]),
    "b": (["fear", "fear", "awe"], ["awe", "awe", "awe"]),
    "c": (["awe", "awe", "fear"], ["awe", None, "awe"]),
}
SIDES = {"model": "m", "prompt": "simple", "other_model": "n", "other_prompt": "simple", "subset": "d"}


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    images = pl.DataFrame([{"dataset": "d", "image_id": name, "path": name, "sha256": name, "label": "fear"} for name in SAID])
    cell = {"dataset": "d", "subset": "d", "prompt": "simple"}
    answers = pl.DataFrame(
        [
            cell | {"image_id": name, "model": model, "repeat": repeat, "label": label, "status": "ok" if label else "refusal"}
            for name, sides in SAID.items()
            for model, said in zip("mn", sides, strict=True)
            for repeat, label in enumerate(said)
        ]
    )
    revised = answers.with_columns(prompt=pl.when(model="m").then(pl.lit("simple@1")).otherwise(pl.lit("simple@2")), model=pl.lit("m"))
    with duckdb.connect() as connection:
        for name, rows in {"raw.images": images, "staging.stg_answers": answers, "intermediate.revised_answers": revised}.items():
            connection.execute(f"create schema {name.split('.')[0]}")
            connection.register("rows", rows).execute(f"create table {name} as select * from rows")
        yield connection


def test_a_right_answer_does_not_outvote_two_refusals(database: duckdb.DuckDBPyConnection) -> None:
    counts = database.sql(FLIP_COUNTS, params=SIDES).pl().to_dicts()[0]
    assert counts == {"n": 3, "both_right": 0, "only_first": 1, "only_second": 1, "same_wrong": 1, "different_wrong": 0}
    page = {"limit": 10, "offset": 0}
    for kind, image, said in (("only_first", "b", ["fear", "awe"]), ("only_second", "a", ["(refusal)", "fear"])):
        found = database.sql(FLIPS, params=SIDES | page | {"kind": kind}).pl()
        assert found.select("image_id", "said", "n_right").rows() == [(image, said, 1)]
        revisions = {"subset": "d", "model": "m", "earlier": "simple@1", "later": "simple@2", "kind": kind}
        assert database.sql(REVISION_FLIPS, params=revisions | page).pl().select("image_id", "said").rows() == [(image, said)]


def test_a_cell_has_an_image_once_however_often_it_was_answered(database: duckdb.DuckDBPyConnection) -> None:
    cell = {"model": "m", "prompt": "simple", "subset": "d", "truth": "fear", "predicted": "fear", "offset": 1, "limit": 1}
    assert database.sql(CELL, params=cell).pl().select("image_id", "n_answers", "n_right", "n").rows() == [("b", 2, 2, 3)]
