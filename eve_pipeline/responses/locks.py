"""One writer a cell: a second one learns who holds it."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from filelock import FileLock, Timeout

from eve_pipeline.errors import EveError
from eve_pipeline.responses.cells import Cell
from eve_pipeline.warehouse.paths import Warehouse


class CellBusyError(EveError):
    """Another process is asking this cell."""


@contextmanager
def cell_lock(cell: Cell, warehouse: Warehouse) -> Iterator[None]:
    """Hold a cell, and say so beside its lock.

    Raises:
        CellBusyError: another process holds it; the error says which.
    """
    lock = warehouse.lock(cell.model, cell.task)
    holder = lock.with_suffix(".holder.json")
    try:
        with FileLock(lock, timeout=0):
            holder.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat()}))
            yield
    except Timeout as timeout:
        who = holder.read_text() if holder.exists() else "a process that has not said who it is"
        raise CellBusyError(f"{cell} is being asked by {who}", "Wait for it to end, or stop it; nothing is lost.") from timeout
