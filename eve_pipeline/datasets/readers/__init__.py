"""One module a layout of datasets on disk; adding a reader is adding a file with `DEFAULT_LABELS` and `read`."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol, cast

import polars as pl

from eve_pipeline.datasets.reading import Reading
from eve_pipeline.datasets.registry import DatasetEntry
from eve_pipeline.emotions.label_sets import Labels, resolve_labels
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.contract import contracts

_MEASURED = ("dataset", "sha256", "width", "height", "bytes")


class Reader(Protocol):
    """What a module of this package offers."""

    DEFAULT_LABELS: str
    """The label list of a dataset that is added without one."""

    def read(self, location: Path, entry: DatasetEntry, labels: Labels, /) -> Reading:
        """Read the annotations in a folder or file and list its images, without opening any.

        Raises:
            EveError: a folder, file or column is missing, or a value is not possible.
        """
        ...


def reader_names() -> list[str]:
    """Return the names of all readers."""
    return sorted(module.name for module in iter_modules(__path__))


def find_reader(name: str) -> Reader:
    """Return a reader by name; `EveError` lists the readers."""
    if name not in reader_names():
        raise EveError(f"There is no reader {name!r}", f"Readers: {', '.join(reader_names())}.")
    return cast(Reader, import_module(f"{__name__}.{name}"))


def read_dataset(entry: DatasetEntry, settings: Settings) -> Reading:
    """Read a dataset's annotations with its entry's reader, without opening the images.

    Returns:
        images with every column of table `images` but dataset, sha256, width, height and bytes; image_id is the path unless the reader
        gives one. rejected with path, reason and detail.
    """
    images, rejected = find_reader(entry.reader).read(entry.location(settings), entry, resolve_labels(entry.labels, settings))
    schema = {name: dtype for name, dtype in contracts()["images"].polars_schema.items() if name not in _MEASURED}
    full = pl.concat([pl.DataFrame(schema=schema), images], how="diagonal_relaxed")
    return Reading(full.with_columns(pl.col("image_id").fill_null(pl.col("path")), pl.col("label_status").fill_null("none")), rejected)
