"""Read and write a table's Parquet files under its contract."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import polars as pl
from ulid import ULID

from eve_pipeline.errors import EveError
from eve_pipeline.files import READ_ONLY, is_out_of_room, replacing, unwritable
from eve_pipeline.warehouse.contract import Contract, contracts

_PREPARED: Final = "eve datasets prepare makes the dataset's tables anew, with no answer lost."
_PLANNED: Final = (
    "eve run writes what the cell asks today anew and asks no stored reply again; what only earlier revisions asked is in no result "
    "until the copy is back, and what was imported has to be imported again."
)
WITHOUT: Final = {
    "images": _PREPARED,
    "rejected_images": _PREPARED,
    "classifier_scores": _PREPARED,
    "benchmark_items": _PREPARED,
    "configs": f"together with the same cell's file of requests; {_PLANNED}",
    "requests": _PLANNED,
    "responses": "eve run asks again what it alone held, and nothing else.",
    "answers": "eve publish reads the stored replies anew.",
    "annotation_tasks": "the study is then unknown until the copy is back; what its annotators answered stays.",
    "annotations": "the annotator then answers the study from its beginning.",
}
"""What happens once a damaged file of a table is moved away."""


def write_table(frame: pl.DataFrame, table: str, path: Path, *, as_of_ns: int | None = None) -> None:
    """Write a frame to `path` whole or not at all; the file carries the contract's name and version.

    `as_of_ns` (nanoseconds since 1970) becomes its mtime; without it, that is when it is written.

    Raises:
        EveError: the frame does not keep the table's contract, or the disk is full or broken; the file stays as it was.
    """
    contract = contracts()[table]
    conformed = contract.conform(frame)
    try:
        with replacing(path) as temporary:
            conformed.write_parquet(temporary, metadata=contract_metadata(contract))
            if as_of_ns is not None:
                os.utime(temporary, ns=(as_of_ns, as_of_ns))
            sync(temporary)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise unwritable(path, error) from error


def contract_metadata(contract: Contract) -> dict[str, str]:
    """Return what every file of a table carries in its footer."""
    return {"contract": contract.table, "contract_version": str(contract.version)}


def sync(file: Path) -> None:
    """Return when a written file is on disk."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def unreadable(path: Path, error: Exception, without: str) -> EveError:
    """Return the error that names a file which is damaged or may not be read; `without` says what happens once it is moved away."""
    said = next(iter(str(error).splitlines()), type(error).__name__)  # what follows is the query of polars or DuckDB
    to_do = f"Put a copy of it back, or move it away: {without}"
    hint = "Give yourself the right to read it." if isinstance(error, PermissionError) else to_do
    return EveError(f"{path} is not a readable Parquet file: {said}", hint)


def check_file(path: Path, contract: Contract, link: Path | None = None) -> dict[str, str]:
    """Return the metadata of a file, or of its link; `EveError` where it is damaged, of another table, or newer than this program."""
    with opened(path, WITHOUT[contract.table], link) as stream:
        return _check(path, stream, contract)


def read_table(table: str, paths: Iterable[Path]) -> pl.DataFrame:
    """Return the rows of the files that exist, with the contract's columns; nullable columns that older files lack are NULL.

    Raises:
        EveError: a file is damaged, of another table, or newer than this program.
    """
    contract = contracts()[table]
    frames = [contract.polars_schema.to_frame()]
    for path in paths:
        if path.exists():
            with opened(path, WITHOUT[table]) as stream:
                _check(path, stream, contract)
                frames.append(_upgrade(pl.read_parquet(stream), contract))
    return pl.concat(frames)


@contextmanager
def opened(path: Path, without: str, link: Path | None = None) -> Iterator[BinaryIO]:
    """Yield a Parquet file for reading: footer and rows of one version though others replace it, which opening it for each would mix.

    Args:
        path: what errors call it.
        without: what errors say of what happens once it is moved away.
        link: another name of it, which is opened.

    Raises:
        EveError: it is damaged.
    """
    try:
        with (link or path).open("rb") as stream:
            yield stream
    except (OSError, pl.exceptions.PolarsError) as error:
        raise unreadable(path, error, without) from error


@contextmanager
def linking(folder: Path) -> Iterator[Callable[[Path, str], Path]]:
    """Give the block a function that returns another name, in `folder`, of a table's file as it is now; the names go with the block.

    For DuckDB, which opens a file more than once while others replace it. Where the folder takes nothing, the names are copies elsewhere.
    """
    names = folder / f".links.{ULID()}.tmp"

    def link(file: Path, table: str) -> Path:
        name = names / f"{file.stem}.{ULID()}.parquet"
        try:
            name.hardlink_to(file.resolve())
        except OSError:  # another disk, or a file system without hard links
            _copy(file, name, table)
        return name

    try:
        try:
            names.mkdir(parents=True)
        except OSError as error:
            if error.errno not in READ_ONLY:
                raise
            names = Path(tempfile.mkdtemp(prefix="eve_links_"))
        yield link
    finally:
        shutil.rmtree(names, ignore_errors=True)


def _copy(file: Path, name: Path, table: str) -> None:
    try:
        shutil.copyfile(file, name)
    except OSError as error:
        raise unwritable(name, error) if is_out_of_room(error) else unreadable(file, error, WITHOUT[table]) from error


def _check(path: Path, stream: BinaryIO, contract: Contract) -> dict[str, str]:
    metadata = pl.read_parquet_metadata(stream)
    stream.seek(0)
    found, version = metadata.get("contract"), int(metadata.get("contract_version", "0"))
    if found is None:
        raise EveError(
            f"{path} does not say which table and version it holds: another program wrote it",
            f"Put a copy of the file that it replaced back, or move it out of EVE_HOME: {WITHOUT[contract.table]}",
        )
    if found != contract.table:
        raise EveError(f"{path} holds table {found!r}, not {contract.table!r}", f"Move it away: {WITHOUT[contract.table]}")
    if version > contract.version:
        raise EveError(
            f"{path} has version {version} of table {contract.table!r}; this program reads up to {contract.version}",
            "Upgrade eve_pipeline.",
        )
    return metadata


def _upgrade(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    absent = (pl.lit(None, dtype).alias(name) for name, dtype in contract.polars_schema.items() if name not in frame.columns)
    return frame.with_columns(absent).select(contract.polars_schema.names())
