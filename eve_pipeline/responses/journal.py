"""Replies are appended to a journal as they arrive and folded into `responses` when a cell ends, or by the next run after a kill."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path

import polars as pl
from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError
from ulid import ULID

from eve_pipeline.errors import EveError
from eve_pipeline.responses.cells import Cell
from eve_pipeline.vlms.protocol import Reply
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import write_table

SYNC_EVERY_S = 1.0


class Entry(BaseModel):
    """One line of a journal."""

    model: str
    task: str
    reply: Reply


class Journal:
    """Appends replies of one cell; a line is with the operating system when `append` returns and on disk within a second."""

    def __init__(self, file: BufferedWriter, cell: Cell) -> None:
        self.file = file
        self.cell = cell
        self.synced_at = time.monotonic()

    def append(self, reply: Reply) -> None:
        """Write one reply."""
        entry = Entry(model=self.cell.model, task=self.cell.task, reply=reply)
        self.file.write(entry.model_dump_json().encode() + b"\n")
        self.file.flush()
        if time.monotonic() - self.synced_at >= SYNC_EVERY_S:
            os.fsync(self.file.fileno())
            self.synced_at = time.monotonic()


@contextmanager
def open_journal(cell: Cell, warehouse: Warehouse) -> Iterator[Journal]:
    """Open a journal; on leaving, also by an error, what it holds is folded into `responses`."""
    warehouse.journals.mkdir(parents=True, exist_ok=True)
    path = warehouse.journals / f"{ULID()}.jsonl"
    with FileLock(_lock(path)):
        try:
            with path.open("wb") as file:
                yield Journal(file, cell)
        finally:
            _fold(path, warehouse)


def fold_abandoned_journals(warehouse: Warehouse) -> int:
    """Fold the journals of processes that are gone; return how many replies that saved."""
    n_saved = 0
    for path in sorted(warehouse.journals.glob("*.jsonl")):
        try:
            with FileLock(_lock(path), timeout=0):
                n_saved += _fold(path, warehouse)
        except Timeout:
            continue
    return n_saved


def _lock(path: Path) -> Path:
    return path.with_suffix(".lock")


def _parse(line: bytes, number: int, path: Path) -> Entry:
    try:
        return Entry.model_validate_json(line)
    except ValidationError as error:
        raise EveError(f"Line {number} of {path} is damaged", "Remove that line and run again; its request will be asked anew.") from error


def _fold(path: Path, warehouse: Warehouse) -> int:
    """Write a journal's replies as parts named after it, so that folding twice writes the same files, and remove it."""
    if not path.exists():
        return 0
    whole_lines = path.read_bytes().rpartition(b"\n")[0].splitlines()
    entries = [_parse(line, number, path) for number, line in enumerate(whole_lines, 1)]
    for model, task in dict.fromkeys((entry.model, entry.task) for entry in entries):
        replies = [entry.reply.model_dump() for entry in entries if (entry.model, entry.task) == (model, task)]
        frame = pl.DataFrame(replies, schema=contracts()["responses"].polars_schema)
        write_table(frame, "responses", warehouse.file("responses", model, task, f"part-{path.stem.lower()}"))
    path.unlink()
    _lock(path).unlink(missing_ok=True)
    return len(entries)
