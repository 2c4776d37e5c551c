"""Files that nothing is lost with: what killed processes were writing, publications that were replaced, stale caches, old logs."""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from filelock import FileLock, Timeout

from eve_pipeline.datasets.registry import dataset_entries
from eve_pipeline.quality.records import record_file
from eve_pipeline.quality.tables import materialized
from eve_pipeline.settings import LOGS_KEPT, Settings
from eve_pipeline.statistics.computing import VERSION
from eve_pipeline.warehouse.compaction import removable_parts, remove_replaced
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import Publication, outdated_publications

TEMPORARY: Final = re.compile(r"\..+\.[0-9A-HJKMNP-TV-Z]{26}(\.tmp)?")
"""Names of what lasts as long as a block: `files.replacing`, `tables.linking` and the link to a publication make them."""

UNTOUCHED: Final = timedelta(days=1)
"""Nobody is still writing what was not written to for so long."""

UNUSED_CACHE: Final = timedelta(days=90)


class Leftover(NamedTuple):
    """A file or folder that can go."""

    kind: str
    path: Path
    n_bytes: int


def temporary_files(warehouse: Warehouse) -> list[Path]:
    """Return what was being written when its process was killed, a day ago or earlier."""
    return sorted(path for path in warehouse.home.rglob(".*") if TEMPORARY.fullmatch(path.name) and _age(path) > UNTOUCHED)


def find_leftovers(settings: Settings) -> list[Leftover]:
    """Return all of them.

    Raises:
        EveError: a part of `responses` cannot be read.
    """
    warehouse = Warehouse.of(settings)
    kinds: dict[str, Iterable[Path]] = {
        "temporary files of killed processes": temporary_files(warehouse),
        "publications beyond the last three": _publications(warehouse, settings),
        "parts that compaction replaced": removable_parts(warehouse),
        "stale caches": _stale_caches(warehouse, settings),
        f"logs older than {LOGS_KEPT.days} days": _old_logs(settings),
    }
    return [Leftover(kind, path, n_bytes(path)) for kind, paths in kinds.items() for path in paths]


def remove_leftovers(leftovers: Iterable[Leftover], settings: Settings) -> list[Leftover]:
    """Remove them and return those that went: what another process has locked stays for the next time.

    Raises:
        EveError: another process compacts.
    """
    warehouse, leftovers = Warehouse.of(settings), list(leftovers)
    if any(leftover.kind.startswith("parts") for leftover in leftovers):
        remove_replaced(warehouse)
    for leftover in leftovers:
        if leftover.kind.startswith("publications"):
            _with_lock(warehouse.lock("publish"), partial(shutil.rmtree, leftover.path, ignore_errors=True))
        elif not leftover.kind.startswith("parts"):
            _remove(leftover.path)
    return [leftover for leftover in leftovers if not os.path.lexists(leftover.path)]


def n_bytes(path: Path) -> int:
    """Return the size of a file, or of all files in a folder; 0 where it has gone."""
    files = [path] if not path.is_dir() or path.is_symlink() else [file for file in path.rglob("*") if not file.is_dir()]
    return sum(file.lstat().st_size for file in files if os.path.lexists(file))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _with_lock(lock: Path, do: Callable[[], object]) -> None:
    try:
        with FileLock(lock, timeout=0):
            do()
    except Timeout:
        pass  # what holds it may be at work on this; it is found again the next time


def _publications(warehouse: Warehouse, settings: Settings) -> Iterator[Path]:
    yield from outdated_publications(warehouse)
    building = Publication.building(warehouse, settings).folder
    if building.exists() and _age(building) > UNTOUCHED:
        yield building


def _stale_caches(warehouse: Warehouse, settings: Settings) -> Iterator[Path]:
    datasets = dataset_entries(settings).complete()
    for index in sorted(warehouse.response_index("*", "*").parent.parent.glob("*/*.parquet")):
        if not (warehouse.folder("responses") / index.parent.name / index.stem).is_dir():
            yield index
    yield from (file for file in sorted(warehouse.earlier_checks("*").parent.glob("*.parquet")) if file.stem not in datasets)
    yield from (folder for folder in sorted(warehouse.trainings("*").parent.glob("*")) if folder.name not in datasets)
    yield from (file for file in sorted(warehouse.embeddings("*").parent.glob("*.parquet")) if _age(file) > UNUSED_CACHE < _unread(file))
    checked = {record_file(warehouse, table, partition) for table, partition in materialized(settings)}
    yield from (file for file in sorted(warehouse.checks.rglob("*.json")) if file not in checked)
    yield from (folder for folder in sorted(warehouse.statistics.glob("*")) if folder.name != VERSION)


def _old_logs(settings: Settings) -> Iterator[Path]:
    """Return our own logs and what the steps of Dagster's runs printed."""
    logs = [*settings.logs.glob("????-??-??.jsonl"), *settings.home.glob("dagster/storage/*/compute_logs")]
    yield from (path for path in sorted(logs) if _age(path) > LOGS_KEPT)


def _unread(path: Path) -> timedelta:
    return timedelta(seconds=time.time() - path.stat().st_atime)


def _age(path: Path) -> timedelta:
    try:
        stat = path.lstat()
    except FileNotFoundError:
        return timedelta()
    return timedelta(seconds=time.time() - stat.st_mtime)
