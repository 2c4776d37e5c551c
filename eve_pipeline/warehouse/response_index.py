"""Which part holds the answer to which request: a cache of keys, one file a cell folder, brought up to date whenever it is asked.

Whoever finds the index behind the parts reads what is new and replaces the index whole. Several processes may do so at once: each uses
what it has read itself, and the last one's file stays. Parts are known by name, inode and mtime: a file that takes another's name, or was
written over by another program, is read again.
"""

import json
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

import polars as pl

from eve_pipeline.errors import EveError
from eve_pipeline.files import replacing
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import WITHOUT, check_file, sync, unreadable

MERGED = "merged-"  # parts made by compaction, the only ones that hide others
REPLACES = "replaces"
ROWS = pl.Schema({"request_key": pl.String(), "is_good": pl.Boolean(), "part": pl.String()})


Identity = tuple[int, int]
"""Inode and mtime, in ns since 1970."""


class Part(NamedTuple):
    """One file of responses: what it is known by, its contract's version, and the names of the parts that it hides."""

    identity: Identity
    version: int
    replaces: tuple[str, ...] = ()


class FolderIndex(NamedTuple):
    """The visible parts of a cell folder by name, and one row for each of their responses: request_key, is_good, part."""

    parts: dict[str, Part]
    rows: pl.DataFrame

    @classmethod
    def read(cls, file: Path) -> Self:
        """Return what a file holds, nothing where it is absent or torn."""
        try:
            with file.open("rb") as stream:  # opened once: metadata and rows of one version, though others replace the file
                found = json.loads(pl.read_parquet_metadata(stream)["parts"])
                stream.seek(0)
                rows = pl.read_parquet(stream).match_to_schema(ROWS)
            parts = {name: Part((inode, mtime), version, tuple(replaces)) for name, ((inode, mtime), version, replaces) in found.items()}
        except (OSError, KeyError, TypeError, ValueError, pl.exceptions.PolarsError):  # also that of an earlier version of this program
            return cls({}, ROWS.to_frame())
        return cls(parts, rows)

    def write(self, file: Path) -> None:
        """Replace the file."""
        with replacing(file) as temporary:
            self.rows.write_parquet(temporary, compression="uncompressed", metadata={"parts": json.dumps(self.parts)})
            sync(temporary)


def cell_folders(warehouse: Warehouse, first: Collection[Path] = ()) -> Iterator[Path]:
    """Yield the folders that hold parts: `first`, then those of the same models, then all others."""
    models = {folder.parent for folder in first}
    yield from (folder for folder in first if folder.is_dir())
    others = (folder for folder in sorted(warehouse.folder("responses").glob("*/*/")) if folder not in first)
    yield from sorted(others, key=lambda folder: folder.parent not in models)


def folder_index(folder: Path, warehouse: Warehouse) -> FolderIndex:
    """Return the index of a cell folder as its parts are now; the file is replaced where it was behind.

    Raises:
        EveError: a part is damaged, of another table, or newer than this program; it is named.
    """
    file = warehouse.response_index(folder.parent.name, folder.name)
    known = FolderIndex.read(file)
    while True:
        listed = list_parts(folder)
        try:
            index = _brought_up_to_date(known, listed, folder)
        except EveError:
            if listed.keys() <= list_parts(folder).keys():
                raise
            continue  # compaction has removed a part since it was listed; what replaces it is there
        if index.parts != known.parts:
            with suppress(EveError, PermissionError):  # of a disk that takes nothing, the parts can be read all the same
                index.write(file)
        return index


def list_parts(folder: Path) -> dict[str, Identity]:
    """Return the name of each part that lies in a cell folder, hidden ones too, and what it is known by."""
    listed = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".parquet"):
                with suppress(FileNotFoundError):  # compaction has removed it meanwhile
                    stat = entry.stat(follow_symlinks=False)
                    listed[entry.name] = (stat.st_ino, stat.st_mtime_ns)
    return listed


def hidden_parts(parts: dict[str, Part]) -> set[str]:
    """Return the names that any of the parts hides."""
    return {name for part in parts.values() for name in part.replaces}


def _brought_up_to_date(known: FolderIndex, listed: dict[str, Identity], folder: Path) -> FolderIndex:
    kept = {name: part for name, part in known.parts.items() if listed.get(name) == part.identity}
    unknown = listed.keys() - kept.keys()
    merged = {name: read_part(folder / name, listed[name]) for name in unknown if name.startswith(MERGED)}
    hidden = hidden_parts(kept | merged)
    others = {name: read_part(folder / name, listed[name]) for name in unknown - hidden - merged.keys()}
    parts = {name: part for name, part in (kept | merged | others).items() if name not in hidden}
    if parts == known.parts:
        return known
    rows = known.rows.filter(pl.col("part").is_in(parts.keys() & kept.keys()))
    return FolderIndex(parts, pl.concat([rows, _read_rows(folder, sorted(parts.keys() - kept.keys()))]))


def read_part(path: Path, identity: Identity) -> Part:
    """Return what a part's footer says, refusing what cannot be used by its name."""
    metadata = check_file(path, contracts()["responses"])
    return Part(identity, int(metadata["contract_version"]), tuple(json.loads(metadata.get(REPLACES, "[]"))))


def _read_rows(folder: Path, names: list[str]) -> pl.DataFrame:
    if not names:
        return ROWS.to_frame()
    is_good, part = pl.col("delivery") != "error", pl.col("part").str.split("/").list.last()
    return read_parts([folder / name for name in names], lambda rows: rows.select("request_key", is_good=is_good, part=part))


def read_parts(paths: Sequence[Path], select: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame:
    """Return a selection of the rows of parts, which carry their file's path in `part`; columns that older ones lack are NULL.

    Raises:
        EveError: a part cannot be read; it is named.
    """
    schema = contracts()["responses"].polars_schema
    try:
        rows = pl.scan_parquet(list(paths), schema=schema, missing_columns="insert", include_file_paths="part", glob=False)
        return select(rows).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        if len(paths) > 1:
            for path in paths:  # the error does not say which
                read_parts([path], select)
        raise unreadable(paths[0], error, WITHOUT["responses"]) from error
