import hashlib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from eve_pipeline.answers.embeddings import Embedder
from eve_pipeline.answers.reading import PARSER_VERSION, read_answers
from eve_pipeline.emotions.normalisation import FILE
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.contract import contracts

EMBEDDER = Embedder(Settings())
CELL = {"model": "m", "subset": "s", "prompt": "simple"}


def rows(table: str, *rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of a table from the fields that matter; the others are NULL."""
    schema = contracts()[table].polars_schema
    return pl.DataFrame([dict.fromkeys(schema) | row for row in rows], schema)


def config(digest: str = "d", **fields: Any) -> dict[str, Any]:
    return {
        "config_digest": digest,
        **CELL,
        "answer_key": "prediction",
        "labels": ["fear", "awe"],
        "is_open": False,
        "is_current": True,
    } | fields


def request(image_id: str, key: str, digest: str = "d", **fields: Any) -> dict[str, Any]:
    return {"config_digest": digest, **CELL, "dataset": "s", "image_id": image_id, "repeat": 0, "request_key": key} | fields


def response(key: str, text: str | None, delivery: str = "received", finish_reason: str = "stop") -> dict[str, Any]:
    return {"request_key": key, "text": text, "delivery": delivery, "finish_reason": finish_reason}


def test_every_request_has_a_row_with_its_status() -> None:
    requests = rows("requests", *(request(f"i{n}", f"k{n}") for n in range(8)))
    responses = rows(
        "responses",
        response("k0", '{"prediction": "fear"}'),
        response("k1", '{"prediction": "awe", "explanation": "so', finish_reason="length"),
        response("k2", '{"prediction": "joy"}'),
        response("k3", "no idea"),
        response("k4", "I cannot help with that."),
        response("k5", '{"prediction": "fear"}', "content_filter"),
        response("k6", None, "error"),
        response("another cell's", '{"prediction": "fear"}'),
    )
    answers = read_answers(requests, responses, rows("configs", config()), EMBEDDER)
    assert answers.schema == contracts()["answers"].polars_schema
    assert answers.select("image_id", "status", "label", "raw_label", "match").sort("image_id").rows() == [
        ("i0", "ok", "fear", "fear", "exact"),
        ("i1", "ok", "awe", "awe", "exact"),
        ("i2", "out_of_vocabulary", None, "joy", None),
        ("i3", "unparseable", None, None, None),
        ("i4", "refusal", None, None, None),
        ("i5", "content_filter", None, None, None),
        ("i6", "error", None, None, None),
        ("i7", "missing", None, None, None),
    ]
    assert answers["parser_version"].unique().to_list() == [PARSER_VERSION]


def test_one_response_answers_every_request_of_its_key() -> None:
    requests = rows("requests", request("one", "k"), request("copy", "k"))
    answers = read_answers(requests, rows("responses", response("k", '{"prediction": "awe"}')), rows("configs", config()), EMBEDDER)
    assert answers["label"].to_list() == ["awe", "awe"]


def test_each_config_reads_with_its_own_keys_and_labels() -> None:
    text = '{"prediction": "sad", "Mood": "fear", "why": "rain"}'
    requests = rows("requests", request("i", "k1", "d1"), request("i", "k2", "d2", prompt="other"))
    configs = rows(
        "configs",
        config("d1", labels=["sadness"], is_current=False, explanation_key="why"),
        config("d2", prompt="other", answer_key="mood", is_open=True),
    )
    answers = read_answers(requests, rows("responses", response("k1", text), response("k2", text)), configs, EMBEDDER)
    assert answers.select("label", "match", "explanation", "is_current").rows() == [
        ("sadness", "normalised", "rain", False),
        ("fear", "exact", None, True),
    ]


def test_nothing_asked_gives_an_empty_table() -> None:
    assert read_answers(rows("requests"), rows("responses"), rows("configs"), EMBEDDER).is_empty()


def test_request_of_an_unknown_config_is_an_error() -> None:
    with pytest.raises(EveError, match="1 configs of requests are not in table configs, first d9"):
        read_answers(rows("requests", request("i", "k", "d9")), rows("responses"), rows("configs", config()), EMBEDDER)


def test_label_forms_belong_to_the_parser_version() -> None:
    """Where this fails because label_forms.yaml changed, raise PARSER_VERSION and write both here anew."""
    digest = hashlib.sha256(Path(FILE).read_bytes()).hexdigest()[:12]
    assert (PARSER_VERSION, digest) == ("4", "29524ce3d4a6")
