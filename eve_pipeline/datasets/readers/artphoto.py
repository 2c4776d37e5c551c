"""The ArtPhoto dataset (Machajdik & Hanbury, ACM Multimedia 2010): flat files `<emotion>_<4 digits>.jpg`."""

from pathlib import Path

import polars as pl

from eve_pipeline.datasets.reading import Reading, image_files, spell_labels
from eve_pipeline.datasets.registry import DatasetEntry
from eve_pipeline.emotions.label_sets import Labels

DEFAULT_LABELS = "mikels"
SYNONYMS = {"sad": "sadness"}


def read(location: Path, _entry: DatasetEntry, labels: Labels) -> Reading:
    """Read a folder of images whose names begin with their label; other images are rejected.

    Raises:
        EveError: there is no such folder or no image in it.
    """
    files = image_files(location, "images named <emotion>_<4 digits>.jpg")
    prefix = pl.col("path").str.extract(r"(?i)^([a-z]+)_\d{4}\.jpe?g$")
    images, rejected = spell_labels(files.images.with_columns(label=prefix.fill_null(pl.col("path"))), labels, SYNONYMS)
    return Reading(images, pl.concat([files.rejected, rejected]))
