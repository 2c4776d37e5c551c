"""What changed between two revisions of a cell, worked out by hand."""

import json
from datetime import UTC, datetime
from typing import Any

import duckdb
import polars as pl
import pytest

from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publish
from eve_pipeline.warehouse.tables import write_table
from tests.sql_models.conftest import config, image

TRUTH = ("awe", "awe", "fear", "fear", "awe", "awe")
SAID = {
    "new": ("fear", "awe", "fear", "fear", "awe", "awe"),
    "old": ("awe", "fear", "fear", "refusal", "error"),  # before the last image was added
    "oldest": ("awe", "awe", "fear", "fear"),
}
"""Answers by config, image by image."""
STATUSES = {"refusal", "error"}
LABELS = {"oldest": ["awe", "fear"], "old": ["awe", "fear", "anger"], "new": ["awe", "fear", "anger", "sadness"]}
"""Labels of the configs of `relabelled`, whose dataset's list grew twice; of all others, those of `new`."""
Row = dict[str, Any]


def parameters(revision: str, temperature: float = 0, response_format: object = "json_object") -> str:
    parts = {"model": {"id": "m", "revision": revision}, "parameters": {"temperature": temperature}, "prompt": revision}
    return json.dumps(parts | {"response_format": response_format})


SCHEMA = {"json_schema": {"enum": ["awe", "fear"]}}
HISTORIES = {
    "weights": [("oldest", "r1", "p", parameters("r1")), ("old", "r2", "p", parameters("r2")), ("new", "r3", "p", parameters("r3"))],
    "edited": [("old", "r", "p1", parameters("r")), ("new", "r", "p2", parameters("r", 1))],
    "came_back": [("new", "r1", "p", parameters("r1")), ("old", "r2", "p", parameters("r2"))],
    "schema": [("old", "r", "p", parameters("r")), ("new", "r", "p", parameters("r", response_format=SCHEMA))],
    "relabelled": [(digest, "r", "p", parameters("r")) for digest in ("oldest", "old", "new")],
    "constant": [("new", "r", "p", parameters("r"))],
}
"""By prompt: with which config, of which revisions and parameters, its cell was asked, hour after hour; `new` is current."""


def tables(prompt: str, hour: int, digest: str, model_revision: str, prompt_revision: str, settings: str) -> dict[str, pl.DataFrame]:
    """Rows of the tables that one config of a cell has."""
    cell, is_current, at = {"model": "m", "subset": "d", "prompt": prompt}, digest == "new", datetime(2026, 1, 1, hour, tzinfo=UTC)
    items = [
        {"dataset": "d", "image_id": f"{n:03}", "repeat": 0, "request_key": f"{prompt}-{digest}-{n}"} for n in range(len(SAID[digest]))
    ]
    read = [{"status": said if said in STATUSES else "ok", "label": None if said in STATUSES else said} for said in SAID[digest]]
    asked = pl.DataFrame([cell | item for item in items]).with_columns(config_digest=pl.lit(digest))
    revisions = {"model_revision": model_revision, "prompt_revision": prompt_revision, "parameters": settings}
    labels = pl.lit(LABELS[digest if prompt == "relabelled" else "new"])
    return {
        "configs": config(cell, digest, is_current=is_current).with_columns(labels=labels, **{n: pl.lit(v) for n, v in revisions.items()}),
        "requests": asked.with_columns(image_sha256=pl.lit("-"), origin=pl.lit("asked")),
        "responses": asked.select("request_key", delivery=pl.lit("received"), attempts=1, created_at=pl.lit(at)),
        "answers": pl.concat([asked.drop("request_key"), pl.DataFrame(read)], how="horizontal").with_columns(
            is_current=pl.lit(is_current), parser_version=pl.lit("1")
        ),
    }


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    settings = Settings(home=tmp_path_factory.mktemp("eve"))
    warehouse = Warehouse.of(settings)
    images = [image("d", number, label, "single") for number, label in enumerate(TRUTH)]
    write_table(pl.DataFrame(images), "images", warehouse.file("images", "d"))
    for prompt, history in HISTORIES.items():
        made = [tables(prompt, hour, *told) for hour, told in enumerate(history, start=1)]
        for table in made[0]:
            names = ("m", f"d.{prompt}", "part-1") if table == "responses" else ("m", f"d.{prompt}")
            write_table(pl.concat(of_config[table] for of_config in made), table, warehouse.file(table, *names))
    with duckdb.connect(publish(warehouse, settings), read_only=True) as connection:
        return connection.sql("from marts.revision_comparison order by all").pl().to_dicts()


def row(rows: list[Row], prompt: str, revision: int, scoring: str) -> Row:
    [found] = [row for row in rows if (row["prompt"], row["revision"], row["scoring"]) == (prompt, revision, scoring)]
    return found


def test_there_is_a_row_for_each_revision_but_the_first(rows: list[Row]):
    found = {(row["prompt"], row["revision"]) for row in rows}
    assert found == {("weights", 2), ("weights", 3), ("edited", 2), ("came_back", 2), ("schema", 2), ("relabelled", 2), ("relabelled", 3)}
    assert len(rows) == 2 * len(found)


def test_strictly_a_refusal_is_a_wrong_answer_and_an_error_none(rows: list[Row]):
    """Images 0 to 3 are paired. F1 before: awe 2/3, fear 1/2; after: awe 2/3, fear 4/5; both have a support of 2."""
    found = row(rows, "weights", 3, "strict")
    figures = {
        "n_pairs": 4, "weighted_f1_before": 7 / 12, "weighted_f1": 11 / 15, "delta": 11 / 15 - 7 / 12, "accuracy_delta": 1 / 4,
        "mcnemar_p": 1.0, "n_answers": 5, "n_only_before": 0, "n_only_after": 1, "n_changed": 3, "n_flipped_right": 2, "n_flipped_wrong": 1,
        "is_complete": False,
    }  # fmt: skip
    assert {name: found[name] for name in figures} == pytest.approx(figures)
    assert found["ci_low"] < found["delta"] < found["ci_high"]
    assert 0 < found["p_value"] <= 1


def test_of_answers_alone_a_refusal_is_none(rows: list[Row]):
    """Images 0 to 2 are paired. F1 before: awe 2/3, fear 2/3; after the same."""
    found = row(rows, "weights", 3, "answered")
    figures = {
        "n_pairs": 3, "weighted_f1_before": 2 / 3, "weighted_f1": 2 / 3, "delta": 0, "accuracy_delta": 0, "n_answers": 5, "n_only_after": 1,
        "n_changed": 2, "n_flipped_right": 1, "n_flipped_wrong": 1,
    }  # fmt: skip
    assert {name: found[name] for name in figures} == pytest.approx(figures)


def test_what_changed_and_when_is_told(rows: list[Row]):
    first, last = row(rows, "weights", 2, "strict"), row(rows, "weights", 3, "strict")
    assert [(r["model_revision_before"], r["model_revision"], r["is_current"]) for r in (first, last)] == [
        ("r1", "r2", False),
        ("r2", "r3", True),
    ]
    assert (last["first_answer_at_before"].astimezone(UTC).hour, last["first_answer_at"].astimezone(UTC).hour) == (2, 3)
    changed = {prompt: row(rows, prompt, 2, "strict")["changed"] for prompt in HISTORIES if len(HISTORIES[prompt]) > 1}
    assert changed == {"weights": "model", "edited": "prompt, settings", "came_back": "model", "schema": "settings", "relabelled": "labels"}


def test_an_old_revision_that_came_back_is_the_last(rows: list[Row]):
    found = row(rows, "came_back", 2, "strict")
    assert (found["model_revision_before"], found["model_revision"], found["is_current"]) == ("r2", "r1", True)
    assert (found["n_flipped_right"], found["n_flipped_wrong"]) == (2, 1)


def test_each_list_of_labels_is_a_revision(rows: list[Row]):
    """As in `weights`, whose revisions gave the same answers."""
    names = ("n_pairs", "weighted_f1_before", "weighted_f1", "n_answers", "n_only_before", "n_only_after", "n_changed", "n_flipped_right")
    for number in (2, 3):
        relabelled, weights = (row(rows, prompt, number, "strict") for prompt in ("relabelled", "weights"))
        assert [relabelled[name] for name in names] == [weights[name] for name in names]
        assert relabelled["changed"] == "labels"
