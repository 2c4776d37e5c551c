"""`eve sql`: one SELECT, and no way around that."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.confined import check
from eve_pipeline.warehouse.limits import Limits
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publication
from eve_pipeline.warehouse.query import ask, run_query
from eve_pipeline.warehouse.tables import write_table

WRITES = st.sampled_from(
    [
        "copy (select 1) to '{folder}/new'",
        "copy raw.responses to '{victim}' (format parquet)",
        "export database '{folder}/new'",
        "attach '{folder}/new'",
        "create table raw.mine as select 1",
        "insert into raw.images select * from raw.images",
        "delete from raw.images",
        "install '{folder}/new'",
        "call enable_logging(storage = 'file', storage_path = '{folder}/new')",
    ]
)
WRAPPERS = (
    "{}",
    "({})",
    "select 1; {}",
    "{}; select 1",
    "explain {}",
    "explain analyze {}",
    "with x as ({}) select * from x",
    "with recursive x as (select 1 union all {}) select * from x",
    "select * from ({}) as x",
    "select ({})",
    "select exists ({})",
    "select 1 union all {}",
    "from query($x${}$x$)",
    "prepare x as {}",
    "create macro f() as table {}",
    "/* {} */ select 1",
    "select 1 -- {}",
    "select '{}'",
    "/**/{}",
    "select 1 limit ({})",
    "pivot ({}) on x",
    "describe {}",
    "summarize {}",
)

ATTACKS = (
    "copy (select 1) to '{victim}'",
    "with x as (copy (select 1) to '{victim}') select * from x",
    "select (with x as (copy (select 1) to '{victim}') select 1)",
    "with recursive x as (copy (select 1) to '{victim}') select * from x",
    "with x as (insert into raw.images select * from raw.images returning *) select * from x",
    "select 1 union all (with x as (copy (select 1) to '{victim}') select 1)",
    "select * from query('with x as (copy (select 1) to ''{victim}'') select * from x')",
    "from query_table('raw.responses')",
    "explain analyze copy (select 1) to '{victim}'",
    "/* select 1 */ copy (select 1) to '{victim}'",
    "-- select 1\ncopy (select 1) to '{victim}'",
    "\u00a0copy\u2003(select 1) to '{victim}'",
    "copy raw.images from '{victim}'",
    "copy (select 1) to '/dev/stdout'",
    "prepare q as copy (select 1) to '{victim}'",
    "execute q",
    "pragma export_database('{folder}')",
    "export database '{folder}' (format parquet)",
    "import database '{folder}'",
    "export database '{folder}'",
    "attach '{folder}/new.duckdb'",
    "attach ':memory:' as other",
    "detach eve",
    "use memory",
    "select 1; copy (select 1) to '{victim}'",
    "select 1; select 2",
    "create macro f() as 1",
    "create temp table mine as select 1",
    "create secret s (type s3)",
    "update raw.images set label = 'awe'",
    "truncate raw.images",
    "vacuum",
    "checkpoint",
    "reset memory_limit",
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
    "from read_parquet('{victim}')",
    "from read_json('/etc/passwd')",
    "from read_blob('/proc/self/environ')",
    "from sniff_csv('/etc/passwd')",
    "from glob('/etc/*')",
    "from parquet_metadata('{victim}')",
    "from 'https://127.0.0.1/x.csv'",
    "select getenv('HOME')",
    "select (from read_text('/etc/hostname') select content)",
    "install httpfs",
    "load httpfs",
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


@given(write=WRITES, wrappers=st.lists(st.sampled_from(WRAPPERS), max_size=3), case=st.sampled_from([str, str.upper]))
def test_no_text_writes_a_file(warehouse: Warehouse, write: str, wrappers: list[str], case: Callable[[str], str]) -> None:
    """What passes the check is run; it may fail, but changes nothing."""
    before = digests(warehouse.home)
    victim = warehouse.files("responses")[0]
    sql = case(write)
    for wrapper in wrappers:
        sql = wrapper.replace("{}", sql)
    sql = sql.replace(case("{victim}"), str(victim)).replace(case("{folder}"), str(victim.parent))
    try:
        check(sql)
        run_query(warehouse.database, sql)
    except (EveError, duckdb.Error):
        pass
    assert digests(warehouse.home) == before


@given(st.text())
def test_any_text_is_a_select_or_refused(sql: str) -> None:
    try:
        check(sql)
    except (EveError, duckdb.Error):
        return
    assert duckdb.extract_statements(sql)[0].type is duckdb.StatementType.SELECT


ENDLESS = {
    "recursion": "with recursive t(n) as (select 1 union all select n + 1 from t) select max(n) from t",
    "cross join": "select count(*) from range(10_000_000) as a, range(10_000_000) as b where a.range * b.range % 7 = 3",
    "one long function call": "select length(rpad('x', 2_000_000_000, 'y')) + length(lpad('x', 2_000_000_000, 'y'))",
}
HUGE = {
    "a string": "select repeat('x', 1_000_000_000) as s",
    "strings": "select repeat('x', 10_000_000) as s from range(100_000)",
    "strings that are counted alone": "select max(length(repeat('x', 100_000_000) || range)) from range(100_000)",
    "a formatted number": "select printf('%1000000000d', range) from range(10)",
    "a list": "select list(range) from range(1_000_000_000)",
    "a sort": "select range from range(1_000_000_000_000) order by hash(range)",
    "a join": "select count(*) from (select a.range from range(100_000_000) as a inner join range(100_000_000) as b using (range))",
    "text of the query": f"select {'(' * 500_000}1{')' * 500_000}",
}


@pytest.mark.parametrize("sql", ENDLESS.values(), ids=ENDLESS)
def test_what_takes_too_long_is_ended_and_the_way_to_allow_more_is_named(warehouse: Warehouse, sql: str) -> None:
    with pytest.raises(EveError, match=r"more than 1 seconds\n.*--max-seconds 10"):
        run_query(warehouse.database, sql, limits=Limits(seconds=1, memory_gb=16))
    assert run_query(warehouse.database, "select text from raw.responses").item() == "awe"


@pytest.mark.parametrize("sql", HUGE.values(), ids=HUGE)
def test_what_takes_too_much_memory_is_ended_and_the_way_to_allow_more_is_named(warehouse: Warehouse, sql: str) -> None:
    before = digests(warehouse.home)
    with pytest.raises(EveError, match=r"more than 0.3 GB of memory\n.*--max-memory 0.6"):
        run_query(warehouse.database, sql, limits=Limits(memory_gb=0.3))
    assert digests(warehouse.home) == before


def test_a_result_larger_than_its_memory_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(EveError, match=r"more than 0\.2 GB of memory"):
        run_query(warehouse.database, "select range from range(1_000_000_000)", limits=Limits(memory_gb=0.2, rows=None))


def test_nesting_has_an_end(warehouse: Warehouse) -> None:
    with pytest.raises(EveError, match=r"nested too deeply|expression depth"):
        run_query(warehouse.database, "select " + "(select " * 500 + "1" + ")" * 500)


@pytest.mark.parametrize(("n", "kept", "is_cut"), [(4, 4, False), (5, 5, False), (6, 5, True), (1_000_000_000_000, 5, True)])
def test_rows_beyond_the_limit_are_cut_and_it_is_said(warehouse: Warehouse, n: int, kept: int, is_cut: bool) -> None:
    found = ask(warehouse.database, f"select range as n from range({n})", limits=Limits(rows=5))
    assert found.rows["n"].to_list() == list(range(kept))
    assert found.is_cut == is_cut


def test_a_cut_result_is_no_whole_one(warehouse: Warehouse) -> None:
    with pytest.raises(EveError, match="more than 1,000 rows"):
        run_query(warehouse.database, "from range(1001)", limits=Limits())
    assert run_query(warehouse.database, "from range(100_000)").height == 100_000


def test_questions_at_the_same_time_do_not_meet(warehouse: Warehouse) -> None:
    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(lambda n: run_query(warehouse.database, "select $n as n", {"n": n}, Limits(memory_gb=1 + n)).item(), range(4))
    assert list(answers) == [0, 1, 2, 3]


def test_columns_of_one_name_are_told_apart(warehouse: Warehouse) -> None:
    found = run_query(warehouse.database, "select 1 as a, 2 as a, 3 as a_1, 4 as a")
    assert found.row(0, named=True) == {"a": 1, "a_2": 2, "a_1": 3, "a_3": 4}


@pytest.mark.parametrize("sql", ["select interval 1 day as x", "select [{'a': interval 1 day}] as x", "select union_value(a := 1) as x"])
def test_types_that_cannot_be_shown_are_named(warehouse: Warehouse, sql: str) -> None:
    with pytest.raises(EveError, match=r"'x' is or holds an INTERVAL or UNION"):
        run_query(warehouse.database, sql)


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
        ("select '\ud800'", "surrogates"),
    ],
)
def test_errors_say_what_is_wrong(warehouse: Warehouse, sql: str, problem: str) -> None:
    with pytest.raises(EveError, match=problem):
        run_query(warehouse.database, sql)


@pytest.mark.parametrize(("sql", "values"), [("select $missing", {}), ("select $a + $b", {"a": 1}), ("select 1", {"left": 1})])
def test_values_that_do_not_fit_the_parameters_say_how_they_are_named(warehouse: Warehouse, sql: str, values: dict[str, object]) -> None:
    with pytest.raises(EveError) as raised:
        run_query(warehouse.database, sql, values)
    assert "-p NAME=VALUE" in raised.value.hint


def test_marts_need_no_schema(warehouse: Warehouse) -> None:
    with duckdb.connect(warehouse.database.resolve()) as connection:
        connection.execute("create schema if not exists marts; create table marts.found as select 7 as n")
    assert run_query(warehouse.database, "select n from found").rows() == [(7,)]
    assert run_query(warehouse.database, "show tables").rows() == [("found",)]
    assert run_query(warehouse.database, "select text from raw.responses").rows() == [("awe",)]


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
