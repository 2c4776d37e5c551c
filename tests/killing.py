"""Kill a process that asks, again and again, and count what became of the replies."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.extent import Extent
from eve_pipeline.responses.journal import Entry
from eve_pipeline.responses.planning import plan_cells
from eve_pipeline.responses.runner import ask_cells, to_requests
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table
from tests.chat_server import ChatServer

SCRIPT = """
import sys
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.extent import Extent
from eve_pipeline.responses.runner import ask_cells
from eve_pipeline.settings import Settings
cells = [Cell(*text.split("/")) for text in sys.argv[2:]]
assert not [outcome.failure for outcome in ask_cells(cells, Settings(), extent=Extent(int(sys.argv[1]))) if outcome.failure]
"""


class Counts(NamedTuple):
    """Over all kills: rows stored at the end, of which how many were lost on the way, are there twice, or were asked for although stored.

    `n_unkept` are requests that had reached the server but were not stored when the process was killed, at most `most_unkept` at once.
    """

    n_kills: int
    n_requests: int
    n_stored: int
    n_lost: int
    n_doubled: int
    n_asked_though_stored: int
    n_unkept: int
    most_unkept: int


def kill_while_asking(cells: Sequence[Cell], n_kills: int, settings: Settings, server: ChatServer, seed: int = 0) -> Counts:
    """Kill `n_kills` processes, each of which is to ask the cells once more than the one before; then let one end."""
    moments, kept = random.Random(seed), set[str]()  # noqa: S311 - moments are no secret
    n_lost = n_asked_though_stored = n_delivered = 0
    unkept = []
    server.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # connections of the killed
    while n_delivered < n_kills:
        n_seen, repeats = len(server.seen), n_delivered + 1
        n_delivered += _ask_and_kill(cells, repeats, settings, server, moments)
        keys = request_keys(cells, repeats, settings)
        asked = {keys[request_of(digest, body)] for digest, body in server.seen[n_seen:]}
        now = kept_keys(Warehouse.of(settings))
        n_lost += len(kept - now)
        n_asked_though_stored += len(asked & kept)
        unkept.append(len(asked - now))
        kept = now
    n_seen, keys = len(server.seen), request_keys(cells, n_kills, settings)
    assert not [outcome.failure for outcome in ask_cells(cells, settings, extent=Extent(n_kills)) if outcome.failure]
    asked = {keys[request_of(digest, body)] for digest, body in server.seen[n_seen:]}
    stored = read_table("responses", Warehouse.of(settings).files("responses"))["request_key"]
    return Counts(
        n_kills=n_kills,
        n_requests=len(keys),
        n_stored=stored.n_unique(),
        n_lost=n_lost + len(kept - set(stored)),
        n_doubled=len(stored) - stored.n_unique(),
        n_asked_though_stored=n_asked_though_stored + len(asked & kept),
        n_unkept=sum(unkept),
        most_unkept=max(unkept),
    )


def _ask_and_kill(cells: Sequence[Cell], repeats: int, settings: Settings, server: ChatServer, moments: random.Random) -> bool:
    n_seen = len(server.seen)
    command = [sys.executable, "-c", SCRIPT, str(repeats), *("/".join(cell) for cell in cells)]
    child = subprocess.Popen(command, env=os.environ | {"EVE_HOME": str(settings.home)})
    while len(server.seen) == n_seen and child.poll() is None:
        time.sleep(0.005)
    time.sleep(moments.uniform(0, 0.7))
    was_running = child.poll() is None
    child.send_signal(signal.SIGKILL)
    child.wait()
    time.sleep(2 * server.latency_s + 0.1)  # what is in flight arrives at the server and is counted
    return was_running


def request_of(digest: str, body: dict[str, object]) -> tuple[str, str, object]:
    """Return what tells requests apart at the server: image, question, seed."""
    content = body["messages"][0]["content"]  # type: ignore[index]
    return digest, next(part["text"] for part in content if part["type"] == "text"), body["seed"]


def request_keys(cells: Sequence[Cell], repeats: int, settings: Settings) -> dict[tuple[str, str, object], str]:
    """Return the key of every request of the cells by what the server sees of it."""
    plans = plan_cells(cells, settings, Extent(repeats))
    requests = [request for plan in plans for request in to_requests(plan.wanted, plan.configs, settings)]
    return {(request.image_sha256, request.prompt, request.seed): request.request_key for request in requests}


def kept_keys(warehouse: Warehouse) -> set[str]:
    """Return the keys of all replies in parts and journals; a torn last line is no reply."""
    lines = [line for path in warehouse.journals.glob("*.jsonl") for line in path.read_bytes().rpartition(b"\n")[0].splitlines()]
    return {Entry.model_validate_json(line).reply.request_key for line in lines} | set(
        read_table("responses", warehouse.files("responses"))["request_key"]
    )
