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
    layout = f"folders of images named {', '.join(labels)}"
    paths = pl.DataFrame({"path": image_files(location, layout)})
    return spell_labels(paths.with_columns(label=pl.col("path").str.split("/").list.first()), labels)
