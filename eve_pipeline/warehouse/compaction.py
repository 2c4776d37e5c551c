"""Make the many parts of a cell folder one, while others read and append.

A merged part holds every row of the parts that it replaces, as they were, but for those that are dropped on demand: duplicates are
resolved when they are read. It appears by one
rename and names in its footer what it replaces; from then on readers pass those by. They are removed when nobody can still be reading them.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl
from filelock import FileLock, Timeout
from ulid import ULID

from eve_pipeline.errors import EveError
from eve_pipeline.files import replacing
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_index import MERGED, REPLACES, cell_folders, folder_index, hidden_parts, list_parts, read_part
from eve_pipeline.warehouse.tables import contract_metadata

GRACE = timedelta(hours=1)  # longer than anybody reads parts that were listed before they were replaced
PUBLISHED_PARTS = "response_parts.txt"


class CompactedFolder(NamedTuple):
    """What compaction made, or would make, of a cell folder."""

    model: str
    task: str
    n_before: int
    n_after: int
    n_rows: int


def compact(warehouse: Warehouse, *, is_dry_run: bool = False) -> list[CompactedFolder]:
    """Merge the parts of each cell folder into one and return what was done, one row a folder.

    Raises:
        EveError: another process compacts, or a part cannot be read.
    """
    with _one_at_a_time(warehouse):
        return [_compact_folder(folder, warehouse, is_dry_run=is_dry_run) for folder in cell_folders(warehouse)]


def remove_replaced(warehouse: Warehouse, grace: timedelta = GRACE) -> tuple[int, int]:
    """Remove replaced parts that are older than `grace` and in no kept publication; return how many went and how many stay.

    Raises:
        EveError: another process compacts, or a part cannot be read.
    """
    with _one_at_a_time(warehouse):
        for torn in warehouse.folder("responses").glob(f"*/*/.{MERGED}*.tmp"):
            torn.unlink()  # of a compaction that was killed, as none other runs
        replaced = {folder / name: age for folder in cell_folders(warehouse) for name, age in _replaced(folder).items()}
        try:
            with FileLock(warehouse.lock("publish"), timeout=0):
                published = _published(warehouse)
                removable = [] if published is None else [path for path, age in replaced.items() if age >= grace and path not in published]
                for path in removable:
                    path.unlink(missing_ok=True)
        except Timeout:  # a publication is being made; it may list any of them
            removable = []
        return len(removable), len(replaced) - len(removable)


def removable_parts(warehouse: Warehouse, grace: timedelta = GRACE) -> list[Path]:
    """Return the replaced parts that `remove_replaced` would remove now.

    Raises:
        EveError: a part cannot be read.
    """
    published = _published(warehouse)
    if published is None:
        return []
    replaced = ((folder / name, age) for folder in cell_folders(warehouse) for name, age in _replaced(folder).items())
    return [path for path, age in replaced if age >= grace and path not in published]


def drop_responses(request_keys: pl.Series, warehouse: Warehouse, folders: Iterable[Path] | None = None) -> int:
    """Leave all responses to these requests out of a new merged part of each folder, or of `folders`; return how many rows went.

    The parts with them are replaced like any others: they go with `remove_replaced`, once nobody can be reading them.

    Raises:
        EveError: another process compacts, or a part cannot be read.
    """
    dropped = request_keys.unique().to_frame("request_key")
    with _one_at_a_time(warehouse):
        return sum(_drop_from(folder, dropped, warehouse) for folder in (cell_folders(warehouse) if folders is None else folders))


def _drop_from(folder: Path, dropped: pl.DataFrame, warehouse: Warehouse) -> int:
    index = folder_index(folder, warehouse)
    n_dropped = index.rows.join(dropped, on="request_key", how="semi").height
    if n_dropped:
        replaces = sorted({*index.parts, *hidden_parts(index.parts)})
        _merge(folder, replaces, [folder / name for name in sorted(index.parts)], index.rows.height - n_dropped, dropped)
    return n_dropped


def record_published(parts: list[Path], folder: Path, warehouse: Warehouse) -> None:
    """Note beside a database which parts its view of the responses lists."""
    names = (part.relative_to(warehouse.folder("responses")).as_posix() for part in parts)
    (folder / PUBLISHED_PARTS).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


@contextmanager
def _one_at_a_time(warehouse: Warehouse) -> Iterator[None]:
    try:
        with FileLock(warehouse.lock("compact"), timeout=0):
            yield
    except Timeout as timeout:
        raise EveError("Another process is compacting the responses", "Wait for it to end; nothing is lost.") from timeout


def _compact_folder(folder: Path, warehouse: Warehouse, *, is_dry_run: bool) -> CompactedFolder:
    index = folder_index(folder, warehouse)
    result = CompactedFolder(folder.parent.name, folder.name, len(index.parts), min(1, len(index.parts)), index.rows.height)
    if len(index.parts) > 1 and not is_dry_run:
        _merge(folder, sorted({*index.parts, *hidden_parts(index.parts)}), [folder / name for name in sorted(index.parts)], result.n_rows)
    return result


def _merge(folder: Path, replaces: list[str], paths: list[Path], n_rows: int, dropped: pl.DataFrame | None = None) -> None:
    """Write the merged part; `replaces` names also what earlier merges hid, for a journal may be folded again under its old name."""
    contract = contracts()["responses"]
    newest = max(path.stat().st_mtime_ns for path in paths)
    with replacing(folder / f"{MERGED}{str(ULID()).lower()}.parquet") as temporary:
        rows = pl.scan_parquet(paths, schema=contract.polars_schema, missing_columns="insert", glob=False)
        if dropped is not None:
            rows = rows.join(dropped.lazy(), on="request_key", how="anti", maintain_order="left")
        rows.sink_parquet(temporary, metadata={**contract_metadata(contract), REPLACES: json.dumps(replaces)}, sync_on_close="all")
        n_written = pl.scan_parquet(temporary).select(pl.len()).collect().item()
        if n_written != n_rows:
            raise EveError(f"{folder}: {n_written} of {n_rows} responses were merged", "Nothing was replaced; run eve compact again.")
        os.utime(temporary, ns=(newest, newest))  # it holds nothing newer, so that answers read before stay up to date


def _replaced(folder: Path) -> dict[str, timedelta]:
    """Return the parts on disk that others hide, with the time for which they have been hidden."""
    listed = list_parts(folder)
    hidden: dict[str, timedelta] = {}
    for name in sorted(name for name in listed if name.startswith(MERGED)):
        age = timedelta(seconds=time.time() - (folder / name).stat().st_ctime)  # unlike its mtime, the time of its rename
        for replaced in read_part(folder / name, listed[name]).replaces:
            if replaced in listed:
                hidden[replaced] = max(age, hidden.get(replaced, age))
    return hidden


def _published(warehouse: Warehouse) -> set[Path] | None:
    """Return the parts that kept publications list, None where one does not say: an earlier version of this program made it."""
    folders = [database.parent for database in warehouse.publications.glob("*/eve.duckdb")]
    if not all((folder / PUBLISHED_PARTS).exists() for folder in folders):
        return None
    lines = (line for folder in folders for line in (folder / PUBLISHED_PARTS).read_text(encoding="utf-8").splitlines())
    return {warehouse.folder("responses") / line for line in lines}
