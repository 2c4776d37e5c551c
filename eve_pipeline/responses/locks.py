"""One writer a cell: a second one learns who holds it."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime

from filelock import FileLock, Timeout

from eve_pipeline.errors import EveError
from eve_pipeline.registry import pick
from eve_pipeline.responses.cells import Cell, subset_datasets
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse


def cell_lock(cell: Cell, settings: Settings) -> AbstractContextManager[None]:
    """Hold a cell, and with it the model's and prompt's cells on other subsets of its dataset, which share requests.

    Raises:
        EveError: another process holds it; the error says which.
    """
    return hold(cell, pick(subset_datasets(settings), cell.subset, "subset").key, Warehouse.of(settings))


@contextmanager
def hold(cell: Cell, dataset: str, warehouse: Warehouse) -> Iterator[None]:
    """Hold a cell of a dataset that may have no entry any more, as `cell_lock` does."""
    path = warehouse.lock(cell.model, f"{dataset}.{cell.prompt}")
    holder, lock = path.with_suffix(".holder.json"), FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout as timeout:
        who = holder.read_text() if holder.exists() else "a process that has not said who it is"
        raise EveError(f"{cell} is being asked by {who}", "Wait for it to end, or stop it; nothing is lost.") from timeout
    try:
        holder.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat()}))
        yield
    finally:
        lock.release()
