"""The journal: every reply is kept, whatever becomes of the process or the disk."""

import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from filelock import FileLock

from eve_pipeline.errors import EveError
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.journal import Entry, Journal, fold_abandoned_journals, open_journal
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.protocol import Reply
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table

CELL = Cell("m", "s", "p")


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    return Warehouse.of(settings)


def reply(number: int, text: str = "fear") -> Reply:
    return Reply(request_key=f"{number:064x}", text=text, delivery="received")


def line(number: int) -> str:
    return Entry(model=CELL.model, task=CELL.task, reply=reply(number)).model_dump_json() + "\n"


def stored(warehouse: Warehouse) -> pl.DataFrame:
    return read_table("responses", warehouse.files("responses"))


def journals(warehouse: Warehouse) -> list[Path]:
    return sorted(warehouse.journals.glob("*"))


@contextmanager
def largest_file(n_bytes: int) -> Iterator[None]:
    """No file of this process can grow beyond this, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_reply_is_in_the_file_when_append_returns(warehouse: Warehouse):
    with open_journal(warehouse) as journal:
        journal.append(CELL, reply(1))
        (file,) = warehouse.journals.glob("*.jsonl")
        assert Entry.model_validate_json(file.read_bytes()).reply.request_key == reply(1).request_key
        assert fold_abandoned_journals(warehouse) == 0  # it is in use
    assert stored(warehouse)["request_key"].to_list() == [reply(1).request_key]
    assert journals(warehouse) == []


def test_threads_share_one_file_and_folding_makes_replies_readable_while_others_go_on(warehouse: Warehouse):
    cells = [CELL._replace(prompt=f"p{number}") for number in range(4)]

    def keep(cell: Cell) -> int:
        for number in range(50):
            journal.append(cell, reply(1000 * cells.index(cell) + number))
        assert len(list(warehouse.journals.glob("*.jsonl"))) <= 2  # the one that is written, and one that is being folded
        journal.fold()
        return read_table("responses", warehouse.files("responses")).filter(pl.col("request_key").is_in(keys(cell))).height

    def keys(cell: Cell) -> list[str]:
        return [reply(1000 * cells.index(cell) + number).request_key for number in range(50)]

    with open_journal(warehouse) as journal, ThreadPoolExecutor(4) as threads:
        assert list(threads.map(keep, cells)) == [50] * 4
    assert stored(warehouse).height == stored(warehouse)["request_key"].n_unique() == 200
    assert {file.parent.name for file in warehouse.files("responses")} == {cell.task for cell in cells}
    assert journals(warehouse) == []


def test_nothing_appended_leaves_no_file(warehouse: Warehouse):
    with open_journal(warehouse) as journal:
        journal.fold()
    assert journals(warehouse) == []
    assert warehouse.files("responses") == []


def test_a_reply_is_synced_although_no_other_follows(warehouse: Warehouse):
    with open_journal(warehouse) as journal:
        journal.append(CELL, reply(1))
        assert journal.is_unsynced
        while journal.is_unsynced:  # a journal that waits for the next reply would never end this
            pass


def test_a_torn_last_line_is_dropped_and_folding_twice_doubles_nothing(warehouse: Warehouse):
    warehouse.journals.mkdir(parents=True)
    for _ in range(2):
        (warehouse.journals / "0.jsonl").write_text(line(1) + line(2) + line(3)[:-9])
        assert fold_abandoned_journals(warehouse) == 2
    assert sorted(stored(warehouse)["request_key"]) == [reply(1).request_key, reply(2).request_key]


def test_a_journal_in_use_is_left_alone(warehouse: Warehouse):
    warehouse.journals.mkdir(parents=True)
    journal = warehouse.journals / "0.jsonl"
    journal.write_text(line(1))
    with FileLock(journal.with_suffix(".lock")):
        assert fold_abandoned_journals(warehouse) == 0
        assert journal.exists()
    assert fold_abandoned_journals(warehouse) == 1


def test_a_damaged_line_names_the_journal_and_line(warehouse: Warehouse):
    warehouse.journals.mkdir(parents=True)
    (warehouse.journals / "0.jsonl").write_bytes(line(1).encode() + b"\0\0\0\n")
    with pytest.raises(EveError, match=r"Line 2 of .*0\.jsonl is damaged"):
        fold_abandoned_journals(warehouse)
    assert (warehouse.journals / "0.jsonl").exists()


def test_a_full_disk_names_the_journal_and_keeps_all_that_was_written_before(warehouse: Warehouse):
    journal = Journal(warehouse)
    journal.append(CELL, reply(1))
    (file,) = warehouse.journals.glob("*.jsonl")
    with largest_file(file.stat().st_size + 100), pytest.raises(EveError) as torn:
        journal.append(CELL, reply(2, "x" * 1000))
    assert str(file) in torn.value.problem
    assert file.read_bytes().count(b"\n") == 1
    with pytest.raises(EveError) as refused:
        journal.append(CELL, reply(3))
    assert refused.value is torn.value
    journal.close()
    assert stored(warehouse)["request_key"].to_list() == [reply(1).request_key]


def test_a_disk_that_fills_up_while_folding_keeps_the_journal_for_the_next_run(warehouse: Warehouse):
    journal = Journal(warehouse)
    journal.append(CELL, reply(1))
    with largest_file(300), pytest.raises(EveError, match=r"part-.*\.parquet cannot be written"):
        journal.fold()
    assert len(list(warehouse.journals.glob("*.jsonl"))) == 1
    with pytest.raises(EveError, match="cannot be written"):
        journal.append(CELL, reply(2))
    journal.close()
    assert warehouse.files("responses") == []
    assert fold_abandoned_journals(warehouse) == 1
    assert stored(warehouse)["request_key"].to_list() == [reply(1).request_key]


def test_what_comes_after_the_end_is_refused(warehouse: Warehouse):
    with open_journal(warehouse) as journal:
        pass
    with pytest.raises(EveError, match="has ended"):
        journal.append(CELL, reply(1))
