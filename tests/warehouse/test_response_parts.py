"""The stored responses: which keys are good, which row of a key counts."""

import os
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from eve_pipeline.errors import EveError
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_parts import stored_responses, unanswered, visible_parts
from tests.warehouse.responses import START, key, responses, write_part


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "home")


def wanted(*numbers: int) -> pl.DataFrame:
    return pl.DataFrame({"request_key": [key(number) for number in numbers], "image_id": [str(number) for number in numbers]})


def test_without_parts_all_is_unanswered_and_nothing_stored(warehouse: Warehouse):
    assert unanswered(wanted(1, 2, 1), warehouse)["image_id"].to_list() == ["1", "2"]
    assert stored_responses(wanted(1)["request_key"], warehouse).schema == contracts()["responses"].polars_schema


def test_a_key_is_answered_by_a_good_row_in_any_folder(warehouse: Warehouse):
    write_part(warehouse, "1", (1, "received", 0), (2, "error", 0))
    write_part(warehouse, "2", (3, "content_filter", 0), task="other.simple", model="n")
    for cells in ([], [("m", "photos.simple")], [("absent", "photos.simple")]):
        assert unanswered(wanted(1, 2, 3, 4), warehouse, cells)["image_id"].to_list() == ["2", "4"]


def test_the_earliest_good_row_counts_else_the_latest_error(warehouse: Warehouse):
    write_part(warehouse, "1", (1, "error", 0), (1, "received", 9), (2, "error", 1), (2, "error", 3))
    write_part(warehouse, "2", (1, "received", 5), (2, "error", 2), (3, "received", 0), task="other.simple")
    found = stored_responses(wanted(1, 2, 4)["request_key"], warehouse).sort("request_key")
    assert found["request_key"].to_list() == [key(1), key(2)]
    assert found["created_at"].to_list() == [START + timedelta(seconds=5), START + timedelta(seconds=3)]
    assert found["text"].to_list() == ["1 at 5", None]


def test_only_parts_that_hold_wanted_keys_are_opened(warehouse: Warehouse):
    write_part(warehouse, "1", (1, "received", 0))
    other = write_part(warehouse, "2", (2, "received", 0))
    assert unanswered(wanted(1, 2), warehouse).is_empty()
    before = other.stat()
    with other.open("r+b") as file:  # in place and as old as it was, so that nothing shows but by opening it
        file.truncate(50)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert stored_responses(wanted(1)["request_key"], warehouse)["text"].to_list() == ["1 at 0"]
    with pytest.raises(EveError, match=r"part-2\.parquet"):
        stored_responses(wanted(2)["request_key"], warehouse)


def test_columns_that_parts_of_version_1_lack_are_null(warehouse: Warehouse):
    file = write_part(warehouse, "1", (1, "received", 0))
    responses((1, "received", 0)).drop("logprobs").write_parquet(file, metadata={"contract": "responses", "contract_version": "1"})
    write_part(warehouse, "2", (2, "received", 0))
    assert stored_responses(wanted(1, 2)["request_key"], warehouse)["logprobs"].to_list() == [None, None]
    assert list(visible_parts(warehouse).values()) == [1, contracts()["responses"].version]


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"contract": "responses", "contract_version": "99"}, r"part-2\.parquet has version 99"),
        ({"contract": "answers", "contract_version": "1"}, r"part-2\.parquet holds table 'answers'"),
        ({}, r"part-2\.parquet does not say which table"),
    ],
)
def test_a_part_that_is_newer_or_of_another_table_is_named(warehouse: Warehouse, metadata: dict[str, str], message: str):
    file = write_part(warehouse, "1", (1, "received", 0))
    responses((2, "received", 0)).write_parquet(file.with_name("part-2.parquet"), metadata=metadata)
    for call in (lambda: unanswered(wanted(1), warehouse), lambda: stored_responses(wanted(1)["request_key"], warehouse)):
        with pytest.raises(EveError, match=message):
            call()


@pytest.mark.parametrize("damage", ["empty", "torn", "pages"])
def test_a_damaged_part_is_named(warehouse: Warehouse, damage: str):
    write_part(warehouse, "1", (1, "received", 0))
    file = write_part(warehouse, "2", *((number, "received", 0) for number in range(100)))
    content = file.read_bytes()
    file.write_bytes({"empty": b"", "torn": content[:-9], "pages": content[:4] + b"\xff" * 900 + content[904:]}[damage])
    with pytest.raises(EveError, match=r"part-2\.parquet"):
        unanswered(wanted(1), warehouse)
