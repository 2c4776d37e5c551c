"""Build a dataset's tables `images` and `rejected_images`."""

from typing import NamedTuple

import polars as pl

from eve_pipeline.datasets.drawing import draw_dataset
from eve_pipeline.datasets.expected import departures
from eve_pipeline.datasets.readers import read_dataset
from eve_pipeline.datasets.registry import DatasetEntry
from eve_pipeline.datasets.verification import one_a_path, verify
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import write_table


class ImagesSummary(NamedTuple):
    """The rows of one dataset in tables `images` and `rejected_images`, and how its counts depart from the expected ones."""

    images: pl.DataFrame
    rejected: pl.DataFrame
    departures: tuple[str, ...] = ()

    @property
    def labels(self) -> dict[str, int]:
        """Number of images by label; 'tie' and 'none' count those without one."""
        return _counts(self.images.select(pl.coalesce("label", "label_status")).to_series())

    @property
    def reasons(self) -> dict[str, int]:
        """Number of rejected files by reason."""
        return _counts(self.rejected["reason"])


def build_images(entry: DatasetEntry, settings: Settings, warehouse: Warehouse) -> ImagesSummary:
    """Read and verify a dataset, drawing it first where its entry says so, and write its two tables.

    Raises:
        EveError: the dataset cannot be read or has no usable image; the tables stay as they were.
    """
    if entry.draw:
        draw_dataset(entry.location(settings), entry.draw.seed, entry.draw.per_emotion)
    read = read_dataset(entry, settings)
    verified = verify(read.images, entry.root(settings), settings.workers)
    summary = ImagesSummary(
        verified.images.with_columns(dataset=pl.lit(entry.key)),
        one_a_path(pl.concat([read.rejected, verified.rejected])).with_columns(dataset=pl.lit(entry.key)),
        departures(entry.expected, read.images),
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


def _counts(values: pl.Series) -> dict[str, int]:
    return dict(values.value_counts(sort=True, name="n").iter_rows())
