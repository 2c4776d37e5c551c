"""Whoever reads a cell's replies while others come leaves no outdated answers behind."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import polars as pl
from ulid import ULID

from eve_pipeline.orchestration.automation import published_results
from eve_pipeline.responses.answering import answer_cell, answer_outdated_cells
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.runner import ask_cells
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table
from tests.chat_server import ChatServer

CELL = Cell("served", "photos", "simple")
N = 24
PAUSING = """
import sys
from eve_pipeline.responses.answering import answer_cell
from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings

def pause(event, arguments):
    if event == "os.mkdir" and "answers" in str(arguments[0]):
        print("has read", flush=True)
        sys.stdin.readline()

sys.addaudithook(pause)
answer_cell(Cell(*sys.argv[1:]), Settings())
"""


@contextmanager
def slow_reader(settings: Settings) -> Iterator[None]:
    """Another process reads the cell before the block, and writes what it read at its end."""
    command, environment = [sys.executable, "-c", PAUSING, *CELL], os.environ | {"EVE_HOME": str(settings.home)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "has read\n"
        yield
        child.communicate("\n")
    assert child.returncode == 0


def statuses(settings: Settings) -> dict[str, int]:
    answers = read_table("answers", Warehouse.of(settings).files("answers"))
    return dict(answers.group_by("status").agg(pl.len()).iter_rows())


def ask_but_ten(settings: Settings, server: ChatServer) -> None:
    server.fault = lambda number: 400 if number > N - 10 else 0
    list(ask_cells([CELL], settings))
    server.fault = lambda _: 0


def test_a_slow_readers_answers_are_read_again(prepared: Settings, chat_server: ChatServer):
    ask_but_ten(prepared, chat_server)
    with slow_reader(prepared):
        list(ask_cells([CELL], prepared))
        answer_cell(CELL, prepared)
    assert statuses(prepared) == {"ok": N - 10, "error": 10}
    assert answer_outdated_cells(prepared) == [CELL]
    assert statuses(prepared) == {"ok": N}
    assert answer_outdated_cells(prepared) == []


def test_replies_that_became_visible_while_others_read_count_as_newer(prepared: Settings, chat_server: ChatServer):
    """They were written before, and renamed after, the reading began."""
    ask_but_ten(prepared, chat_server)
    list(ask_cells([CELL], prepared))
    [*_, newest] = sorted(Warehouse.of(prepared).files("responses"), key=lambda part: part.stat().st_mtime_ns)
    unnamed = newest.rename(newest.with_name(".being-written.tmp"))
    answer_cell(CELL, prepared)
    unnamed.rename(newest)
    assert answer_outdated_cells(prepared) == [CELL]
    assert statuses(prepared) == {"ok": N}


def test_answers_that_were_written_after_a_publication_are_published(prepared: Settings, chat_server: ChatServer):
    """Though they were read before it began."""
    warehouse = Warehouse.of(prepared)
    list(ask_cells([CELL], prepared))
    with slow_reader(prepared):
        database = warehouse.publications / str(ULID()) / "eve.duckdb"
        database.parent.mkdir(parents=True)
        database.touch()
        warehouse.database.symlink_to(database)
    with dg.DagsterInstance.ephemeral() as instance:
        found = published_results.evaluate_tick(dg.build_sensor_context(instance, resources={"settings": prepared}))
    assert len(found.run_requests or ()) == 1
