"""`eve sql`: one SELECT, and no way around that."""

import hashlib
from pathlib import Path

import duckdb
import polars as pl
import pytest

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publication
from eve_pipeline.warehouse.query import run_query
from eve_pipeline.warehouse.tables import write_table

ATTACKS = (
    "copy (select 1) to '{victim}'",
    "with x as (copy (select 1) to '{victim}') select * from x",
    "select (with x as (copy (select 1) to '{victim}') select 1)",
    "select * from query('with x as (copy (select 1) to ''{victim}'') select * from x')",
    "explain analyze copy (select 1) to '{victim}'",
    "export database '{folder}'",
    "attach '{folder}/new.duckdb'",
    "select 1; copy (select 1) to '{victim}'",
    "insert into raw.responses select * from raw.responses",
    "with x as (delete from raw.images) select 1",
    "create table raw.mine as select 1",
    "drop table raw.images",
    "set enable_external_access = true",
    "call enable_logging(storage = 'file')",
    "from enable_logging(storage = 'file')",
    "select * from read_text('/etc/hostname')",
    "select * from '/etc/hostname'",
    "from read_csv('/etc/passwd')",
    "install httpfs",
    "pragma database_list",
)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """A published warehouse with one response."""
    settings = Settings(home=tmp_path_factory.mktemp("eve"))
    warehouse = Warehouse.of(settings)
    response = pl.DataFrame([{"request_key": "k", "delivery": "received", "attempts": 1, "created_at": 0, "text": "awe"}])
    write_table(response, "responses", warehouse.file("responses", "m", "sample.simple", "part-1"))
    with publication(warehouse, settings):
        pass
    return warehouse


def digests(folder: Path) -> dict[Path, str]:
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_are_refused_and_change_nothing(warehouse: Warehouse, attack: str) -> None:
    before = digests(warehouse.home)
    victim = warehouse.files("responses")[0]
    with pytest.raises(EveError):
        run_query(warehouse.database, attack.format(victim=victim, folder=victim.parent))
    assert digests(warehouse.home) == before


@pytest.mark.parametrize(
    "sql",
    [
        "select text from raw.responses",
        "from raw.responses select text",
        "with answers as (select text from raw.responses) select * from answers",
        "select text from raw.responses union all select text from raw.responses where false;",
        "-- a comment\nselect text from raw.responses",
    ],
)
def test_selects_read_tables_and_the_files_behind_responses(warehouse: Warehouse, sql: str) -> None:
    assert run_query(warehouse.database, sql).rows() == [("awe",)]


@pytest.mark.parametrize("sql", ["describe raw.images", "summarize raw.images", "select * from duckdb_tables()", "values (1)"])
def test_looking_around_is_allowed(warehouse: Warehouse, sql: str) -> None:
    assert run_query(warehouse.database, sql).height > 0


def test_parameters_are_bound_not_pasted(warehouse: Warehouse) -> None:
    text = "'; drop table raw.images; --"
    assert run_query(warehouse.database, "select $text as text, $n + 1 as n", {"text": text, "n": 1}).rows() == [(text, 2)]


def test_frames_of_the_program_are_out_of_reach(warehouse: Warehouse) -> None:
    frame = pl.DataFrame({"secret": [1]})
    with pytest.raises(EveError, match="frame"):
        run_query(warehouse.database, "select * from frame")
    assert frame.height == 1


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("select 1; select 2", "not 2 statements"),
        ("-- nothing", "not 0 statements"),
        ("drop table raw.images", "not DROP"),
        ("selec 1", "syntax error"),
        ("select nothing from raw.images", '"nothing" not found'),
        ("select $missing", "missing"),
    ],
)
def test_errors_say_what_is_wrong(warehouse: Warehouse, sql: str, problem: str) -> None:
    with pytest.raises(EveError, match=problem):
        run_query(warehouse.database, sql)


def test_without_a_database_the_next_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(EveError, match="eve publish"):
        run_query(tmp_path / "eve.duckdb", "select 1")


def test_a_query_after_publishing_again_sees_the_new_database(settings: Settings) -> None:
    """Even while the process still holds the old one open."""
    warehouse = Warehouse.of(settings)
    with publication(warehouse, settings):
        pass
    with duckdb.connect(warehouse.database.resolve(), read_only=True, config={"python_enable_replacements": False}):
        item = pl.DataFrame([{"subset": "s", "dataset": "s", "image_id": "a"}])
        write_table(item, "benchmark_items", warehouse.file("benchmark_items", "s"))
        with publication(warehouse, settings):
            pass
        assert run_query(warehouse.database, "select image_id from raw.benchmark_items").rows() == [("a",)]
