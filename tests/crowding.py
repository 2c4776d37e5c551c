"""Everybody at once in one EVE_HOME: `eve run`s, readers, publishers, a compaction, and kills; then count what became of the replies."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import duckdb

from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_parts import visible_parts
from eve_pipeline.warehouse.tables import read_table
from tests.chat_server import ChatServer
from tests.killing import kept_keys, request_keys, request_of

N_APART = 8
HELD = "is being asked by"
KILLED_AFTER_S = (4.0, 9.0)
MODEL = {"backend": "openai", "parameters": {"temperature": 1}, "limits": {"max_in_flight": 4}}

COMMON = """
import json, sys, time
from datetime import timedelta
from typer.testing import CliRunner
from eve_pipeline.cli import app
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
warehouse, ends_at = Warehouse.of(Settings()), float(sys.argv[1])
starts = iter([True])
def is_on():
    return next(starts, False) or time.time() < ends_at
def tell(is_ok, text):
    print(json.dumps([bool(is_ok), text]), flush=True)
    return is_ok
def eve(*arguments):
    done = CliRunner().invoke(app, arguments)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return tell(done.exit_code == 0, done.output)
"""

SCRIPTS = {
    "run": """
repeats = 1
while is_on():
    model, subset, prompt = sys.argv[2:]
    repeats += eve("run", "--model", model, "--subset", subset, "--prompt", prompt, "--repeats", str(repeats), "--no-publish")
""",
    "publish": """
while is_on():
    eve("publish")
""",
    "compact": """
from eve_pipeline.warehouse.compaction import remove_replaced
while is_on():
    eve("compact")
    remove_replaced(warehouse, timedelta(seconds=5))
    time.sleep(0.5)
""",
    "read": """
from tests.crowding import contradictions
while not warehouse.database.exists():
    time.sleep(0.1)
while is_on():
    database = warehouse.database.resolve()
    wrong = contradictions(database)
    tell(not wrong, f"{database.parent.name} {wrong or ''}")
    eve("sql", "select count(*) from marts.coverage")
    time.sleep(0.2)
""",
}

CONTRADICTIONS = {
    "answers without a request": "from raw.answers anti join raw.requests using (config_digest, subset, dataset, image_id, repeat)",
    "answers without a config": "from raw.answers anti join raw.configs using (config_digest, model, subset, prompt)",
    "read answers without a response": """
        from raw.answers join raw.requests using (config_digest, subset, dataset, image_id, repeat)
        anti join raw.responses using (request_key) where status <> 'missing'""",
    "responses that are there twice": """
        from (select request_key from raw.responses group by all having count(*) > 1)""",
    "answers that are there twice": """
        from (select 1 from raw.answers group by config_digest, subset, dataset, image_id, repeat having count(*) > 1)""",
    "items that no cell counts": """
        from (select (select sum(n_items) from marts.coverage) as counted, (select count(*) from raw.answers where is_current) as asked)
        where coalesce(counted, 0) <> asked""",
}


class Crowd(NamedTuple):
    """What became of everybody; `n_stored` rows of responses, of which `n_lost` were asked for by others than the killed but are not there.

    `n_asked_twice` leaves out what the killed process had in flight; `errors` are the words of whoever failed otherwise than by finding
    its cell held.
    """

    n_runs: int
    n_skipped: int
    n_kills: int
    n_publications: int
    n_compactions: int
    n_reads: int
    n_published_seen: int
    n_requests: int
    n_stored: int
    n_lost: int
    n_doubled: int
    n_asked_twice: int
    errors: list[str]


class Actor(NamedTuple):
    """A process that does one thing again and again, and the file of what it says."""

    role: str
    process: subprocess.Popen[bytes]
    output: Path


def contradictions(database: Path) -> dict[str, int]:
    """Return what a published database says of itself that cannot be, with how often."""
    with duckdb.connect(database, read_only=True) as connection:
        counts = {what: connection.sql(f"select count(*) {rows}").fetchall()[0][0] for what, rows in CONTRADICTIONS.items()}
    return {what: n for what, n in counts.items() if n}


def crowd_cells(subset: str) -> list[Cell]:
    """Return the cells: eight apart, one for two processes, one for those who are killed."""
    return [Cell(f"served-{number}", subset, "simple") for number in range(N_APART + 2)]


def models(cells: Sequence[Cell], url: str) -> dict[str, dict[str, object]]:
    """Return an entry for the model of each cell."""
    return {cell.model: MODEL | {"id": f"stub-{cell.model}", "base_url": url} for cell in cells}


def crowd(cells: Sequence[Cell], seconds: float, settings: Settings, server: ChatServer, folder: Path) -> Crowd:
    """Let eight processes ask a cell each, two one cell, and two read, two publish, one compact and one be killed for so long.

    Each does its work once at least."""
    *apart, shared, killed = cells
    ends_at, moments = time.time() + seconds, random.Random(0)  # noqa: S311 - moments are no secret
    server.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # connections of the killed
    roles = [*(("run", *cell) for cell in (*apart, shared, shared)), ("read",), ("read",), ("publish",), ("publish",), ("compact",)]
    with ExitStack() as stack:
        actors = [_start(role, ends_at, settings, folder / f"{number}.txt", stack) for number, role in enumerate(roles)]
        n_kills = 0
        while time.time() < ends_at:
            victim = _start(("run", *killed), ends_at, settings, folder / f"killed-{n_kills}.txt", stack)
            time.sleep(moments.uniform(*KILLED_AFTER_S))
            n_kills += victim.process.poll() is None
            victim.process.send_signal(signal.SIGKILL)
            victim.process.wait()
        for actor in actors:
            actor.process.wait(timeout=300)
    return _count(cells, actors, n_kills, settings, server)


def _start(role: tuple[str, ...], ends_at: float, settings: Settings, output: Path, stack: ExitStack) -> Actor:
    command = [sys.executable, "-c", COMMON + SCRIPTS[role[0]], str(ends_at), *role[1:]]
    environment = os.environ | {"EVE_HOME": str(settings.home), "COLUMNS": "1000"}
    process = subprocess.Popen(command, env=environment, stdout=output.open("wb"), stderr=subprocess.STDOUT)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return Actor(role[0], process, output)


def _count(cells: Sequence[Cell], actors: Sequence[Actor], n_kills: int, settings: Settings, server: ChatServer) -> Crowd:
    *others, killed = cells
    told = [(actor.role, *words) for actor in actors for words in _told(actor)]
    ok = Counter(role for role, is_ok, _ in told if is_ok)
    failed = [(role, text) for role, is_ok, text in told if not is_ok]
    keys = {cell.model: request_keys([cell], ok["run"] + n_kills + 1, settings) for cell in cells}
    asked = Counter(
        keys[cell.model][request_of(digest, body)]
        for cell in others
        for digest, body in server.seen
        if body["model"] == f"stub-{cell.model}"
    )
    stored = read_table("responses", visible_parts(Warehouse.of(settings)))["request_key"]
    return Crowd(
        n_runs=ok["run"],
        n_skipped=sum(HELD in text for _, text in failed),
        n_kills=n_kills,
        n_publications=ok["publish"],
        n_compactions=ok["compact"],
        n_reads=ok["read"],
        n_published_seen=len({text for role, is_ok, text in told if role == "read" and is_ok and text.startswith("01")}),
        n_requests=len(asked) + len(set(keys[killed.model].values()) & set(stored)),
        n_stored=stored.n_unique(),
        n_lost=len(asked.keys() - kept_keys(Warehouse.of(settings))),
        n_doubled=len(stored) - stored.n_unique(),
        n_asked_twice=sum(n - 1 for n in asked.values()),
        errors=[f"{role}: {text}" for role, text in failed if HELD not in text],
    )


TOLD = ("[true,", "[false,")  # an error's text may have lines that begin with a bracket too


def _told(actor: Actor) -> list[tuple[bool, str]]:
    """Return what a process said of each thing it did; whatever else it printed, and how it ended, is a failure."""
    lines = actor.output.read_text().splitlines()
    told = [tuple(json.loads(line)) for line in lines if line.startswith(TOLD)]
    other = "\n".join(line for line in lines if not line.startswith(TOLD))
    return told + ([(False, other or f"it ended with {actor.process.returncode}")] if other or actor.process.returncode else [])
