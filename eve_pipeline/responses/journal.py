"""Replies are appended to a journal as they arrive and folded into `responses` when a cell ends, or by the next run after a kill."""

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import polars as pl
from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError
from ulid import ULID

from eve_pipeline.errors import EveError
from eve_pipeline.files import unwritable
from eve_pipeline.responses.cells import Cell
from eve_pipeline.vlms.protocol import Reply
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import write_table

SYNC_EVERY_S = 0.5


class Entry(BaseModel):
    """One line of a journal."""

    model: str
    task: str
    reply: Reply


class JournalFile:
    """A file that one process appends to while it holds its lock."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{ULID()}.jsonl"
        self.lock = FileLock(_lock(self.path), thread_local=False)
        self.lock.acquire()
        self.descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND)

    def append(self, line: bytes) -> None:
        """Hand a line to the operating system, whole, or raise `OSError`."""
        while line:
            line = line[os.write(self.descriptor, line) :]

    def close(self) -> None:
        """Close the file; the lock is held on."""
        os.close(self.descriptor)


class Journal:
    """Keeps the replies of this process, from any number of threads.

    A reply is with the operating system when `append` returns, on disk within a second, and in `responses` after the next `fold`.
    A file that cannot be written ends all further appending, so that nothing is asked whose answer cannot be kept.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.file: JournalFile | None = None
        self.failure: EveError | None = None
        self.appending, self.folding = Lock(), Lock()
        self.is_unsynced, self.is_closed = False, Event()
        Thread(target=self._keep_synced, name="journal", daemon=True).start()

    def append(self, cell: Cell, reply: Reply) -> None:
        """Write one reply.

        Raises:
            EveError: it cannot be written, or an earlier one could not; what was written stays and is folded in by the next run.
        """
        line = Entry(model=cell.model, task=cell.task, reply=reply).model_dump_json().encode() + b"\n"
        with self.appending:
            self._raise_failure()
            try:
                self.file = self.file or JournalFile(self.warehouse.journals)
                self.file.append(line)
                self.is_unsynced = True
            except OSError as error:
                self.failure = unwritable(self.file.path if self.file else self.warehouse.journals, error)
                raise self.failure from error

    def fold(self) -> None:
        """Put everything appended so far into `responses`.

        Raises:
            EveError: a file cannot be written; the journal stays and is folded in by the next run.
        """
        with self.folding:
            with self.appending:
                finished, self.file, self.is_unsynced = self.file, None, False
            if finished:
                finished.close()
                try:
                    _fold(finished.path, self.warehouse)
                except EveError as error:
                    self.failure = self.failure or error
                finally:
                    finished.lock.release()
            self._raise_failure()

    def close(self) -> None:
        """Fold what there is; what comes later is refused.

        Raises:
            EveError: a file cannot be written, and nobody has been told yet.
        """
        self.is_closed.set()
        told = self.failure
        try:
            self.fold()
        except EveError:
            if not told:
                raise
        finally:
            self.failure = self.failure or EveError("The run has ended", "Run the same command again.")

    def _keep_synced(self) -> None:
        while not self.is_closed.wait(SYNC_EVERY_S):
            with self.appending:
                descriptor = os.dup(self.file.descriptor) if self.file and self.is_unsynced else None
                self.is_unsynced = False
            if descriptor is not None:
                self._sync(descriptor)

    def _sync(self, descriptor: int) -> None:
        try:
            os.fsync(descriptor)
        except OSError as error:
            self.failure = self.failure or unwritable(self.warehouse.journals, error)
        finally:
            os.close(descriptor)

    def _raise_failure(self) -> None:
        if self.failure:
            raise self.failure


@contextmanager
def open_journal(warehouse: Warehouse) -> Iterator[Journal]:
    """Open this process's journal; on leaving, also by an error, what it holds is folded into `responses`."""
    journal = Journal(warehouse)
    try:
        yield journal
    finally:
        journal.close()


def fold_abandoned_journals(warehouse: Warehouse) -> int:
    """Fold the journals of processes that are gone; return how many replies that saved.

    Raises:
        EveError: a line is damaged, or a part cannot be written; the journal stays.
    """
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
    whole_lines = path.read_bytes().rpartition(b"\n")[0].splitlines() if path.exists() else []
    replies = defaultdict[tuple[str, str], list[dict[str, Any]]](list)
    for number, line in enumerate(whole_lines, 1):
        entry = _parse(line, number, path)
        replies[entry.model, entry.task].append(entry.reply.model_dump())
    for (model, task), rows in replies.items():
        part = warehouse.file("responses", model, task, f"part-{path.stem.lower()}")
        write_table(pl.DataFrame(rows, schema=contracts()["responses"].polars_schema), "responses", part)
    path.unlink(missing_ok=True)
    _lock(path).unlink(missing_ok=True)
    return len(whole_lines)
