"""EVE_HOME: room on the disk, the published database, and what killed processes have left."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from eve_pipeline.doctor.finding import Finding
from eve_pipeline.errors import EveError
from eve_pipeline.pruning.leftovers import n_bytes, temporary_files
from eve_pipeline.responses.batches import open_batches
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse

LEAST_FREE_GB = 5
DAY_S = 86_400


def look_at_files(settings: Settings) -> Iterator[Finding]:
    """Yield what was found in EVE_HOME.

    Raises:
        EveError: it cannot be made.
    """
    warehouse = Warehouse.of(settings)
    yield _home(settings)
    yield _disk(settings)
    yield _database(warehouse)
    yield _journals(warehouse)
    yield _batches(warehouse)
    yield _leftovers(warehouse)


def _home(settings: Settings) -> Finding:
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EveError(f"EVE_HOME {settings.home} cannot be made: {error}", "Set EVE_HOME to a folder that can be written.") from error
    if os.access(settings.home, os.W_OK):
        return Finding("EVE_HOME", "ok", str(settings.home))
    return Finding("EVE_HOME", "error", str(settings.home), "Make it writable, or set EVE_HOME to another folder.")


def _disk(settings: Settings) -> Finding:
    free_gb = shutil.disk_usage(settings.home).free / 1e9
    is_enough = free_gb >= LEAST_FREE_GB
    to_do = "" if is_enough else f"Free {LEAST_FREE_GB} GB, or move EVE_HOME."
    return Finding("free disk", "ok" if is_enough else "error", f"{free_gb:.0f} GB", to_do)


def _database(warehouse: Warehouse) -> Finding:
    database = warehouse.database
    if database.exists():
        return Finding("eve.duckdb", "ok", str(database.readlink()) if database.is_symlink() else "a file, to which no publication leads")
    if database.is_symlink():
        return Finding("eve.duckdb", "error", f"leads to {database.readlink()}, which is gone", "Run eve publish.")
    return Finding("eve.duckdb", "ok", "nothing published yet", "Run eve demo, eve run or eve publish.")


def _journals(warehouse: Warehouse) -> Finding:
    journals = list(warehouse.journals.glob("*.jsonl"))
    abandoned = [journal for journal in journals if not _is_held(journal.with_suffix(".lock"))]
    found = f"{len(journals) - len(abandoned)} in use, {len(abandoned)} abandoned"
    to_do = "The next eve run folds their replies in." if abandoned else ""
    return Finding("journals", "warning" if any(_age_s(journal) > DAY_S for journal in abandoned) else "ok", found, to_do)


def _is_held(lock: Path) -> bool:
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


def _batches(warehouse: Warehouse) -> Finding:
    n_batches = len(open_batches(warehouse))
    return Finding("batches", "ok", f"{n_batches} open", "Run eve collect when they have ended." if n_batches else "")


def _leftovers(warehouse: Warehouse) -> Finding:
    """Look for what was being written when its process was killed, and is too old to be written still."""
    left = temporary_files(warehouse)
    if not left:
        return Finding("leftover files", "ok", "none")
    size_mb = sum(map(n_bytes, left)) / 1e6
    found = f"{len(left)}, {size_mb:.0f} MB, of processes that were killed"
    return Finding("leftover files", "warning", found, "Run eve prune to see them, eve prune --yes to remove them.")


def _age_s(path: Path) -> float:
    return time.time() - path.stat().st_mtime
