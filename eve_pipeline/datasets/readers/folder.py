"""Class folders: `<label>/.../<any name>.jpg`."""

from pathlib import Path

import polars as pl

from eve_pipeline.datasets.reading import Reading, image_files, spell_labels
from eve_pipeline.datasets.registry import DatasetEntry
from eve_pipeline.emotions.label_sets import Labels

DEFAULT_LABELS = "mikels"


def read(location: Path, _entry: DatasetEntry, labels: Labels) -> Reading:
    """Read a folder with one folder per label; images elsewhere are rejected.

    Raises:
        EveError: there is no such folder or no image in it.
    """
    files = image_files(location, f"folders of images named {', '.join(labels)}")
    images, rejected = spell_labels(files.images.with_columns(label=pl.col("path").str.split("/").list.first()), labels)
    return Reading(images, pl.concat([files.rejected, rejected]))
