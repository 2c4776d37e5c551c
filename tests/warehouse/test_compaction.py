"""Compaction makes parts few; nobody ever misses a row or sees one twice, whatever else goes on and whenever it is killed."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import polars as pl
import pytest
from filelock import FileLock

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.compaction import CompactedFolder, compact, remove_replaced
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publication
from eve_pipeline.warehouse.query import run_query
from eve_pipeline.warehouse.response_parts import stored_responses, visible_parts
from eve_pipeline.warehouse.tables import read_table
from tests.warehouse.responses import key, write_part

AT_ONCE = timedelta()


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    return Warehouse.of(settings)


def visible_rows(warehouse: Warehouse) -> list[tuple[str, str | None]]:
    rows = read_table("responses", visible_parts(warehouse)).select("request_key", "text")
    return sorted(rows.iter_rows())


def test_every_row_of_the_parts_is_in_the_one_that_replaces_them(warehouse: Warehouse):
    write_part(warehouse, "1", (1, "received", 0), (2, "error", 0), (2, "error", 1))
    write_part(warehouse, "2", (1, "received", 5))
    write_part(warehouse, "3", (3, "received", 0), task="other.simple")
    before = visible_rows(warehouse)
    assert compact(warehouse, is_dry_run=True) == [
        CompactedFolder("m", "other.simple", n_before=1, n_after=1, n_rows=1),
        CompactedFolder("m", "photos.simple", n_before=2, n_after=1, n_rows=4),
    ]
    assert len(visible_parts(warehouse)) == 3
    compact(warehouse)
    assert [path.name.partition("-")[0] for path in visible_parts(warehouse)] == ["part", "merged"]
    assert visible_rows(warehouse) == before == [(key(1), "1 at 0"), (key(1), "1 at 5"), (key(2), None), (key(2), None), (key(3), "3 at 0")]
    assert compact(warehouse)[1] == CompactedFolder("m", "photos.simple", n_before=1, n_after=1, n_rows=4)


def test_replaced_parts_stay_for_readers_that_listed_them_and_then_go(warehouse: Warehouse):
    parts = [write_part(warehouse, str(number), (number, "received", 0)) for number in range(3)]
    compact(warehouse)
    assert remove_replaced(warehouse) == (0, 3)
    assert remove_replaced(warehouse, AT_ONCE) == (3, 0)
    assert not any(part.exists() for part in parts)
    assert len(visible_rows(warehouse)) == 3


def test_a_part_that_is_folded_again_under_its_name_stays_hidden_after_later_merges(warehouse: Warehouse):
    first = write_part(warehouse, "1", (1, "received", 0))
    write_part(warehouse, "2", (2, "received", 0))
    content = first.read_bytes()
    compact(warehouse)
    write_part(warehouse, "3", (3, "received", 0))
    compact(warehouse)
    assert remove_replaced(warehouse, AT_ONCE) == (4, 0)  # with the first merged part
    first.write_bytes(content)
    assert [request_key for request_key, _ in visible_rows(warehouse)] == [key(1), key(2), key(3)]


def test_a_merged_part_is_as_old_as_the_newest_it_replaces(warehouse: Warehouse):
    for number in (1, 2):
        os.utime(write_part(warehouse, str(number), (number, "received", 0)), (number, number))
    compact(warehouse)
    assert [path.stat().st_mtime for path in visible_parts(warehouse)] == [2]


def test_parts_that_a_kept_publication_reads_stay_until_it_goes(warehouse: Warehouse, settings: Settings):
    parts = [write_part(warehouse, str(number), (number, "received", 0)) for number in range(2)]
    with publication(warehouse, settings):
        pass
    compact(warehouse)
    write_part(warehouse, "2", (2, "received", 0))
    for left in [(0, 2), (0, 2), (2, 0)]:  # three publications are kept
        with publication(warehouse, settings):
            pass
        assert remove_replaced(warehouse, AT_ONCE) == left
        assert all(part.exists() for part in parts) == (left == (0, 2))
    counts = [run_query(folder / "eve.duckdb", "select count(*) from raw.responses").item() for folder in warehouse.publications.iterdir()]
    assert counts == [3, 3, 3]


def test_nothing_is_removed_while_a_database_is_being_built_or_does_not_say_what_it_reads(warehouse: Warehouse, settings: Settings):
    for number in range(2):
        write_part(warehouse, str(number), (number, "received", 0))
    compact(warehouse)
    with publication(warehouse, settings):
        assert remove_replaced(warehouse, AT_ONCE) == (0, 2)
    listed = warehouse.database.resolve().with_name("response_parts.txt")
    assert listed.read_text().startswith("m/photos.simple/merged-")
    content = listed.read_text()
    listed.unlink()
    assert remove_replaced(warehouse, AT_ONCE) == (0, 2)
    listed.write_text(content)
    assert remove_replaced(warehouse, AT_ONCE) == (2, 0)


def test_a_second_compaction_says_that_one_is_under_way(warehouse: Warehouse):
    with FileLock(warehouse.lock("compact")), pytest.raises(EveError, match="Another process is compacting"):
        compact(warehouse)


def test_a_damaged_part_is_named_and_nothing_replaced(warehouse: Warehouse):
    write_part(warehouse, "1", (1, "received", 0))
    write_part(warehouse, "2", (2, "received", 0)).write_bytes(b"")
    with pytest.raises(EveError, match=r"part-2\.parquet"):
        compact(warehouse)
    assert sorted(file.name for file in warehouse.files("responses")) == ["part-1.parquet", "part-2.parquet"]


COMPACT = """
import sys
from datetime import timedelta
from pathlib import Path
from eve_pipeline.warehouse.compaction import compact, remove_replaced
from eve_pipeline.warehouse.paths import Warehouse
warehouse = Warehouse(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    compact(warehouse)
    remove_replaced(warehouse, timedelta())
"""

APPEND = """
import sys
from pathlib import Path
from eve_pipeline.warehouse.paths import Warehouse
from tests.warehouse.responses import write_part
warehouse, first = Warehouse(Path(sys.argv[1])), int(sys.argv[2])
for number in range(first, first + 150):
    write_part(warehouse, str(number), (number, "received", 0))
    print(number, flush=True)
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def test_readers_see_each_stored_row_once_while_others_append_and_compact(warehouse: Warehouse):
    compacting = start(COMPACT, warehouse.home)
    writers = [start(APPEND, warehouse.home, first) for first in (0, 1000)]
    keys = pl.Series("request_key", [key(number) for number in (*range(150), *range(1000, 1150))])
    n_seen = 0
    try:
        while any(writer.poll() is None for writer in writers):
            stored = stored_responses(keys, warehouse)
            assert stored.height == stored["request_key"].n_unique() >= n_seen
            n_seen = stored.height
        assert compacting.poll() is None
    finally:
        compacting.kill()
        compacting.wait()
    assert sum(len((writer.stdout or []).readlines()) for writer in writers) == 300
    for writer in writers:
        writer.wait()
        writer.stdout.close()
    compacting.stdout.close()
    compact(warehouse)
    assert visible_rows(warehouse) == sorted((key(n), f"{n} at 0") for n in (*range(150), *range(1000, 1150)))


@pytest.mark.parametrize("after_s", [0.0, 0.002, 0.005, 0.01, 0.02, 0.04])
def test_a_compaction_killed_at_any_moment_loses_nothing(warehouse: Warehouse, after_s: float):
    for number in range(100):
        write_part(warehouse, str(number), (number, "received", 0))
    before = visible_rows(warehouse)
    with start(COMPACT, warehouse.home) as compacting:
        assert compacting.stdout
        compacting.stdout.readline()
        time.sleep(after_s)
        compacting.send_signal(signal.SIGKILL)
    assert visible_rows(warehouse) == before
    compact(warehouse)
    remove_replaced(warehouse, AT_ONCE)
    assert visible_rows(warehouse) == before
    assert len(list((warehouse.folder("responses") / "m" / "photos.simple").iterdir())) == 1
