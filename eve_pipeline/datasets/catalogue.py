"""Build a dataset's tables `images` and `rejected_images`."""

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from eve_pipeline.datasets.drawing import draw_dataset
from eve_pipeline.datasets.duplicates import in_other_datasets
from eve_pipeline.datasets.earlier_checks import EarlierChecks
from eve_pipeline.datasets.expected import departures
from eve_pipeline.datasets.readers import read_dataset
from eve_pipeline.datasets.registry import DatasetEntry
from eve_pipeline.datasets.verification import one_a_path, verify
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table, write_table


class ImagesSummary(NamedTuple):
    """The rows of one dataset in tables `images` and `rejected_images`, and what to know of them.

    `departures` says how the counts depart from the expected ones, `n_framed` how many images have several frames or pages, of which the
    first is used; `shared` lists the images that other datasets have too (path, other_dataset, other_path); those of the datasets in
    `not_compared` cannot be read.
    """

    images: pl.DataFrame
    rejected: pl.DataFrame
    departures: tuple[str, ...]
    n_framed: int
    shared: pl.DataFrame
    not_compared: tuple[str, ...]

    @property
    def reasons(self) -> dict[str, int]:
        """Number of rejected files by reason."""
        return dict(self.rejected["reason"].value_counts(sort=True, name="n").iter_rows())

    @property
    def notes(self) -> tuple[str, ...]:
        """What the person who prepares the dataset should know, in words."""
        rejected = (f"rejected: {n} {reason}" for reason, n in self.reasons.items())
        framed = (f"{self.n_framed} of several frames or pages: the first is used",) if self.n_framed else ()
        unread = (f"not compared with dataset {key}: its table of images cannot be read" for key in self.not_compared)
        return (*rejected, *self.departures, *framed, *_in_words(self.shared), *unread)


def build_images(entry: DatasetEntry, settings: Settings, warehouse: Warehouse) -> ImagesSummary:
    """Read and verify a dataset, drawing it first where its entry says so, and write its two tables.

    Raises:
        EveError: the dataset cannot be read or has no usable image; the tables stay as they were.
    """
    if entry.draw:
        draw_dataset(entry.location(settings), entry.draw.seed, entry.draw.per_emotion)
    read = read_dataset(entry, settings)
    root = entry.root(settings)
    verified = verify(read.images, root, settings.workers, EarlierChecks(warehouse.earlier_checks(entry.key), root), entry.placeholders)
    others, not_compared = images_of_others(entry.key, warehouse)
    summary = ImagesSummary(
        verified.images.drop("has_frames").with_columns(dataset=pl.lit(entry.key)),
        one_a_path(pl.concat([read.rejected, verified.rejected])).with_columns(dataset=pl.lit(entry.key)),
        departures(entry.expected, read.images),
        verified.images.filter("has_frames").height,
        in_other_datasets(verified.images, others),
        not_compared,
    )
    if summary.images.is_empty():
        found = ", ".join(f"{n} {reason}" for reason, n in summary.reasons.items())
        raise EveError(
            f"Dataset {entry.key!r} in {entry.location(settings)} has no usable image: {found or 'it lists none'}",
            "Correct the dataset's path, labels or reader.",
        )
    write_table(summary.images, "images", warehouse.file("images", entry.key))
    write_table(summary.rejected, "rejected_images", warehouse.file("rejected_images", entry.key))
    return summary


def images_of_others(key: str, warehouse: Warehouse) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return dataset, path and sha256 of the images of every dataset but one, and the datasets whose table cannot be read.

    Their damage is theirs: their own checks and a publication name the file.
    """
    found, unread = [contracts()["images"].polars_schema.to_frame()], []
    for file in warehouse.files("images"):
        if file != warehouse.file("images", key):
            try:
                found.append(read_table("images", [file]))
            except EveError:
                unread.append(file.stem)
    return pl.concat(found).select("dataset", "path", "sha256"), tuple(unread)


def _in_words(shared: pl.DataFrame) -> Iterator[str]:
    counted = shared.group_by("other_dataset").agg(pl.col("path").n_unique().alias("n"), pl.first("path"), pl.first("other_path"))
    for dataset, n, path, other_path in counted.sort("other_dataset").iter_rows():
        yield f"{n} also in dataset {dataset}: {path} is its {other_path}" + (", for example" if n > 1 else "")
