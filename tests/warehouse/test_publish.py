"""Publishing: readers keep what they opened, publishers queue, a failure changes nothing."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import polars as pl
import pytest
import yaml

from eve_pipeline.errors import EveError
from eve_pipeline.settings import PROJECT, Settings
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publication, publish
from eve_pipeline.warehouse.raw_schema import create_raw_schema
from eve_pipeline.warehouse.tables import write_table
from tests.warehouse.replacing import is_whole, replacing_for_ever
from tests.warehouse.responses import write_part

ITEM = {"subset": "sample", "dataset": "sample", "selection_seed": None}
ANSWER = {
    "config_digest": "c", "model": "m", "subset": "sample", "prompt": "simple", "dataset": "sample", "image_id": "a", "repeat": 0,
    "parser_version": "1", "is_current": True, "label": "awe", "status": "ok",
}  # fmt: skip
RESPONSE = {"request_key": "k", "delivery": "received", "attempts": 1, "created_at": 0}
PUBLISHER = """
import sys, time
from pathlib import Path
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publication

settings = Settings(home=Path(sys.argv[1]))
with publication(Warehouse.of(settings), settings):
    started = time.time()
    time.sleep(1)
    print(started, time.time())
"""
READER = """
import sys
import duckdb

def count(connection):
    print(connection.sql("select count(*) from raw.benchmark_items").fetchall()[0][0], flush=True)

connection = duckdb.connect(sys.argv[1], read_only=True)
count(connection)
sys.stdin.readline()
count(connection)
connection.close()
count(duckdb.connect(sys.argv[1], read_only=True))
"""


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    return Warehouse.of(settings)


def write_items(warehouse: Warehouse, *names: str) -> None:
    rows = pl.DataFrame([{**ITEM, "image_id": name} for name in names])
    write_table(rows, "benchmark_items", warehouse.file("benchmark_items", "sample"))


def write_response(warehouse: Warehouse, part: str) -> Path:
    file = warehouse.file("responses", "m", "sample.simple", part)
    write_table(pl.DataFrame([RESPONSE]), "responses", file)
    return file


def items(database: Path) -> int:
    with duckdb.connect(database, read_only=True) as connection:
        return int(connection.table("raw.benchmark_items").count("*").fetchall()[0][0])


def without_dbt(warehouse: Warehouse, settings: Settings) -> Path:
    with publication(warehouse, settings):
        pass
    return warehouse.database.resolve()


def test_an_empty_warehouse_publishes_every_mart_and_describes_all_columns(empty_home: Settings) -> None:
    warehouse = Warehouse.of(empty_home)
    database = warehouse.database.resolve()
    with duckdb.connect(database, read_only=True) as connection:
        tables = connection.sql("select schema_name || '.' || table_name, estimated_size from duckdb_tables()").fetchall()
        undescribed = connection.sql(
            "select schema_name, table_name, column_name from duckdb_columns()"
            " where not internal and schema_name in ('raw', 'marts', 'seeds') and comment is null"
        ).fetchall()
    sizes = dict(tables)
    marts = ("weighted_f1", "affect_f1", "per_class_f1", "confusion", "sentiment_bias", "error_categories", "coverage")
    assert [sizes[f"marts.{mart}"] for mart in marts] == [0] * 7
    assert undescribed == []
    assert warehouse.database.readlink() == Path("published", database.parent.name, "eve.duckdb")
    assert [path.name for path in warehouse.publications.iterdir()] == [database.parent.name]


def test_a_reader_keeps_what_it_opened(warehouse: Warehouse, settings: Settings) -> None:
    write_items(warehouse, "a")
    without_dbt(warehouse, settings)
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(warehouse.database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "1\n"
    write_items(warehouse, "a", "b")
    for _ in range(4):
        without_dbt(warehouse, settings)
    assert reader.communicate("again\n", timeout=20) == ("1\n2\n", None)


def test_two_publishers_queue(warehouse: Warehouse, settings: Settings) -> None:
    write_items(warehouse, "a")
    command = [sys.executable, "-c", PUBLISHER, str(settings.home)]
    with ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda _: subprocess.run(command, capture_output=True, text=True, check=True), range(2)))
    first, second = sorted([float(time) for time in run.stdout.split()] for run in runs)
    assert first[1] < second[0]
    published = sorted(warehouse.publications.iterdir())
    assert [items(folder / "eve.duckdb") for folder in published] == [1, 1]
    assert warehouse.database.resolve().parent == published[-1]


def test_a_failing_dbt_test_keeps_the_last_good_database(warehouse: Warehouse, settings: Settings) -> None:
    write_items(warehouse, "a")
    last = without_dbt(warehouse, settings)
    answer = pl.DataFrame([ANSWER | {"status": "shrug", "label": None}])
    write_table(answer, "answers", warehouse.file("answers", "m", "sample.simple"))
    with pytest.raises(EveError, match="accepted_values_stg_answers_ever_status") as failure:
        publish(warehouse, settings)
    log = Path(failure.value.hint.removeprefix("See ").partition(";")[0])
    assert "accepted_values_stg_answers_ever_status" in log.read_text()
    assert warehouse.database.resolve() == last
    assert items(warehouse.database) == 1
    assert list(warehouse.publications.iterdir()) == [last.parent]


@pytest.mark.parametrize("problem", [RuntimeError, KeyboardInterrupt])
def test_whatever_is_raised_leaves_nothing(warehouse: Warehouse, settings: Settings, problem: type[BaseException]) -> None:
    with pytest.raises(problem), publication(warehouse, settings):
        raise problem
    assert not list(warehouse.publications.iterdir())
    assert not warehouse.database.is_symlink()


def test_what_a_killed_publisher_left_is_cleared(warehouse: Warehouse, settings: Settings) -> None:
    leftover = warehouse.publications / ".building"
    leftover.mkdir(parents=True)
    (leftover / "eve.duckdb").write_text("half a file")
    (leftover / "eve.duckdb.wal").write_text("half a log")
    without_dbt(warehouse, settings)
    assert items(warehouse.database) == 0
    assert not leftover.exists()


def test_the_last_three_are_kept(warehouse: Warehouse, settings: Settings) -> None:
    published = [without_dbt(warehouse, settings).parent for _ in range(5)]
    assert sorted(warehouse.publications.iterdir()) == published[-3:]
    assert warehouse.database.resolve().parent == published[-1]


def test_columns_that_older_files_lack_are_null(warehouse: Warehouse, settings: Settings) -> None:
    write_items(warehouse, "new")
    metadata = {"contract": "benchmark_items", "contract_version": "1"}
    old = pl.DataFrame({"subset": ["sample"], "dataset": ["sample"], "image_id": ["old"]})
    old.write_parquet(warehouse.file("benchmark_items", "old"), metadata=metadata)
    without_dbt(warehouse, settings)
    with duckdb.connect(warehouse.database, read_only=True) as connection:
        rows = connection.sql("select image_id, selection_seed from raw.benchmark_items order by 1").fetchall()
    assert rows == [("new", None), ("old", None)]


def test_a_file_of_another_table_is_refused(warehouse: Warehouse, settings: Settings) -> None:
    write_table(pl.DataFrame([ANSWER]), "answers", warehouse.file("benchmark_items", "misplaced"))
    with pytest.raises(EveError, match="holds table 'answers'"):
        publish(warehouse, settings)


def test_responses_are_the_files_of_the_moment(warehouse: Warehouse, settings: Settings) -> None:
    write_response(warehouse, "part-1")
    without_dbt(warehouse, settings)
    write_response(warehouse, "part-2")
    with duckdb.connect(warehouse.database, read_only=True) as connection:
        assert connection.sql("select count(*) from raw.responses").fetchall() == [(1,)]
        assert [row[0] for row in connection.sql("select view_name from duckdb_views() where not internal").fetchall()] == ["responses"]


def test_a_home_with_a_quote_in_its_name_publishes(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "it's here")
    warehouse = Warehouse.of(settings)
    write_response(warehouse, "part-1")
    without_dbt(warehouse, settings)
    with duckdb.connect(warehouse.database, read_only=True) as connection:
        assert connection.sql("select count(*) from raw.responses").fetchall() == [(1,)]


def test_dbt_sources_are_the_contracts() -> None:
    declared = yaml.safe_load((PROJECT / "dbt_like_models/models/staging/_sources.yml").read_text())["sources"][0]["tables"]
    assert {table["name"]: table["description"] for table in declared} == {name: c.meaning for name, c in contracts().items()}
    assert all(table["config"]["meta"]["dagster"]["asset_key"] == [table["name"]] for table in declared)


class Watched:
    """A connection that lets a run end, with a reply of its own, while the answers are being copied."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, warehouse: Warehouse) -> None:
        self.connection, self.warehouse = connection, warehouse
        self.part: Path | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self.connection, name)

    def execute(self, statement: str) -> None:
        if statement.startswith("CREATE TABLE raw.answers"):
            self.part = write_part(self.warehouse, "1", (1, "received", 0))
        self.connection.execute(statement)


def test_a_reply_that_came_while_answers_were_copied_is_published_with_them(warehouse: Warehouse):
    with duckdb.connect() as connection:
        watched = Watched(connection, warehouse)
        assert create_raw_schema(watched, warehouse) == [watched.part]
        assert connection.sql("select count(*) from raw.responses").fetchall() == [(1,)]


def test_files_that_are_replaced_meanwhile_are_copied_whole(warehouse: Warehouse):
    file = warehouse.file("benchmark_items", "s")
    with replacing_for_ever(file), duckdb.connect() as connection:
        for _ in range(30):
            create_raw_schema(connection, warehouse)
            lengths = "count(distinct length(image_id)), max(length(image_id))"
            assert is_whole(*connection.sql(f"select count(*), {lengths} from raw.benchmark_items").fetchall()[0])
            connection.sql("drop schema raw cascade")
