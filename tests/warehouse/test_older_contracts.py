"""Files that earlier versions wrote are still read: `older_contracts/` keeps each contract as it was then."""

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import yaml
from polars.testing import assert_frame_equal

from eve_pipeline.errors import EveError
from eve_pipeline.responses.answering import answer_cell
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.planning import plan_cells
from eve_pipeline.responses.runner import ask_cells
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.contract import Contract, contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publish
from eve_pipeline.warehouse.tables import contract_metadata, read_table
from tests.chat_server import ChatServer

OLDER = {
    file.stem: Contract.model_validate({"table": file.stem.split("-")[0], **yaml.safe_load(file.read_text())})
    for file in sorted((Path(__file__).parent / "older_contracts").glob("*.yaml"))
}
CELLS = [Cell("served", "photos", prompt) for prompt in ("simple", "explanation")]
UNTOUCHED = ("weighted_f1", "affect_f1", "per_class_f1", "confusion", "sentiment_bias", "error_categories", "coverage", "cost_and_latency")
"""Marts that read no column which an earlier contract lacks."""
VALUES: dict[str, Any] = {"VARCHAR": "x", "BIGINT": 1, "DOUBLE": 0.5, "BOOLEAN": True, "VARCHAR[]": ["a", "b"]}


def written_by(contract: Contract, rows: pl.DataFrame, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    rows.select(contract.polars_schema.names()).write_parquet(file, metadata=contract_metadata(contract))
    return file


def a_row(contract: Contract) -> pl.DataFrame:
    values = {name: VALUES.get(column.type) for name, column in contract.columns.items()}
    return pl.DataFrame([values], schema=contract.polars_schema)


def test_every_earlier_version_is_kept_here():
    kept = {table: {contract.version for contract in OLDER.values() if contract.table == table} for table in contracts()}
    assert kept == {table: set(range(1, contract.version)) for table, contract in contracts().items()}


@pytest.mark.parametrize("name", OLDER)
def test_a_newer_contract_only_adds_nullable_columns(name: str):
    older, newer = OLDER[name], contracts()[OLDER[name].table]
    for column, told in older.columns.items():
        assert (newer.columns[column].type, newer.columns[column].nullable) == (told.type, told.nullable), column
    assert all(column.nullable for name, column in newer.columns.items() if name not in older.columns)


@pytest.mark.parametrize("name", OLDER)
def test_an_older_file_is_read_with_null_for_what_it_lacks(name: str, tmp_path: Path):
    older, newer = OLDER[name], contracts()[OLDER[name].table]
    row = a_row(older)
    read = read_table(newer.table, [written_by(older, row, tmp_path / "a.parquet")])
    assert read.schema == newer.polars_schema
    assert_frame_equal(read.select(row.columns), row)
    assert read.select(set(newer.columns) - set(row.columns)).null_count().row(0) == (1,) * (len(newer.columns) - len(row.columns))


@pytest.fixture
def asked(prepared: Settings, chat_server: ChatServer) -> Settings:
    """Two cells that were asked and read."""
    for outcome in ask_cells(CELLS, prepared):
        answer_cell(outcome.cell, prepared)
    return prepared


def marts(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(publish(Warehouse.of(settings), settings), read_only=True) as connection:
        return {mart: connection.sql(f"select * from marts.{mart} order by all").fetchall() for mart in UNTOUCHED}


def turn_back(warehouse: Warehouse, contract: Contract, files: list[Path]) -> None:
    for file in files:
        written_by(contract, pl.read_parquet(file), file)
    for index in (warehouse.home / "cache" / "response_index").rglob("*.parquet"):
        index.unlink()


@pytest.mark.parametrize("which", ["all files", "files of one cell"])
def test_a_warehouse_of_the_first_versions_gives_the_same_marts_and_asks_nothing_again(asked: Settings, which: str):
    warehouse, before = Warehouse.of(asked), marts(asked)
    assert before["weighted_f1"]
    for contract in OLDER.values():
        if contract.version == 1:
            files = [file for file in warehouse.files(contract.table) if which == "all files" or "simple" in str(file)]
            turn_back(warehouse, contract, files)
    assert marts(asked) == before
    assert [plan.missing.height for plan in plan_cells(CELLS, asked)] == [0, 0]


@pytest.mark.parametrize("first", ["configs-2", "configs-2-with-confidence"])
def test_files_of_one_version_may_differ_in_a_nullable_column(asked: Settings, first: str):
    """Version 2 of configs was written with and without confidence_key."""
    warehouse = Warehouse.of(asked)
    [explanation, simple] = warehouse.files("configs")
    [second] = {"configs-2", "configs-2-with-confidence"} - {first}
    confident = pl.read_parquet(simple).with_columns(confidence_key=pl.lit("confidence"))
    confident.write_parquet(simple, metadata=pl.read_parquet_metadata(simple))
    turn_back(warehouse, OLDER[first], [explanation])
    turn_back(warehouse, OLDER[second], [simple])
    with duckdb.connect(publish(warehouse, asked), read_only=True) as connection:
        keys = connection.sql("select prompt, confidence_key from raw.configs order by prompt").fetchall()
    assert keys == [("explanation", None), ("simple", None if second == "configs-2" else "confidence")]


@pytest.mark.parametrize("table", contracts())
def test_a_newer_file_is_refused_by_name(table: str, settings: Settings):
    contract = contracts()[table]
    newer = contract.model_copy(update={"version": contract.version + 1})
    warehouse = Warehouse.of(settings)
    file = written_by(newer, a_row(newer), warehouse.file(table, "m", "photos.simple", "part-x"))
    with pytest.raises(
        EveError, match=rf"version {newer.version} of table '{table}'; this program reads up to {contract.version}"
    ) as error:
        publish(warehouse, settings)
    assert str(file) in error.value.problem
    assert error.value.hint == "Upgrade eve_pipeline."
