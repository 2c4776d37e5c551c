"""The Abstract dataset (Machajdik & Hanbury, ACM Multimedia 2010): image files and ABSTRACT_groundTruth.csv with each image's votes.

The CSV quotes its header and names singly; its first header is empty, the others are the labels.
"""

from pathlib import Path

import polars as pl

from eve_pipeline.datasets.reading import Reading, image_files, match_files, require_file
from eve_pipeline.datasets.registry import DatasetEntry
from eve_pipeline.datasets.votes import tally
from eve_pipeline.emotions.label_sets import Labels
from eve_pipeline.errors import EveError

DEFAULT_LABELS = "abstract"
GROUND_TRUTH = "ABSTRACT_groundTruth.csv"


def read(location: Path, _entry: DatasetEntry, labels: Labels) -> Reading:
    """Read a folder with ABSTRACT_groundTruth.csv; images it does not list are rejected.

    Raises:
        EveError: there is no ground truth or no image, the header is not that of the labels, a row has votes and no name, or a vote
            is not possible.
    """
    votes = _read_votes(require_file(location / GROUND_TRUTH, "the Abstract dataset's votes"), labels)
    matched = match_files(votes, image_files(location, "abstract_0001.jpg and so on"), GROUND_TRUTH)
    return Reading(tally(matched.images), matched.rejected)


def _read_votes(file: Path, labels: Labels) -> pl.DataFrame:
    try:
        table = pl.read_csv(file, quote_char="'", infer_schema=False)
        first, *named = table.columns
        header = {name.strip().casefold(): name for name in named}
        if header.keys() != {label.casefold() for label in labels}:
            raise EveError(
                f"Expected the columns '', {', '.join(labels)} in {file}; found {', '.join(map(repr, table.columns))}",
                "Correct the dataset's path or its labels.",
            )
        counts = (pl.col(header[label.casefold()]).cast(pl.Float64).alias(label) for label in labels)
        cells = table.with_columns(pl.all().str.strip_chars().replace("", None))
        votes = cells.select(pl.col(first).alias("path"), *counts)
    except pl.exceptions.PolarsError as error:
        raise EveError(f"{file} is not a table of votes: {error}", "Get the file again.") from error
    is_blank = pl.all_horizontal(pl.all().is_null())
    if (nameless := votes.select((pl.col("path").is_null() & ~is_blank).arg_true()).to_series()).len():
        raise EveError(f"Row {nameless[0]} of {file} (from 0) has no image", "Get the file again.")
    return votes.filter(~is_blank)
