"""What each cell answered about each image of a subset, as arrays: the common ground of all resampling.

A cell's answers about an image are its profile: how often it gave each outcome (a label, or a status that is no answer). With one
answer an image there are as many profiles as outcomes; repeats and label orders give more.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from eve_pipeline.statistics.scores import Counts

ROWS_AT_ONCE = 1_000_000
TRUTH = ["truth", "rating_sentiment", "rating_arousal"]
OUTCOME = ["status", "predicted"]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sheet:
    """One cell's answers.

    `profile` (images,) is the row of `answers` (profiles, outcomes) that an image has; images that were not asked about have zeros.
    """

    model: str
    prompt: str
    profile: Numbers
    answers: Counts


@dataclass(frozen=True, eq=False)
class Subset:
    """The cells of one subset.

    `truth` (images,) is each image's row of `truths` (columns TRUTH); a column of a sheet's `answers` is a row of `outcomes` (columns
    OUTCOME).
    """

    dataset: str
    subset: str
    truth: Numbers
    truths: pl.DataFrame
    outcomes: pl.DataFrame
    sheets: tuple[Sheet, ...]


def read_subsets(answers: duckdb.DuckDBPyRelation, images: duckdb.DuckDBPyRelation) -> Iterator[Subset]:
    """Yield the sheets of each subset, read one subset after the other.

    Args:
        answers: columns model, dataset, subset, prompt, image_id, status and label, which is the answer's.
        images: columns dataset, image_id, label, rating_sentiment and rating_arousal.
    """
    known = images.project("dataset, image_id, label as truth, rating_sentiment, rating_arousal").pl()
    for dataset, subset in answers.project("dataset, subset").distinct().order("dataset, subset").fetchall():
        asked = answers.filter(f"dataset = '{dataset}' and subset = '{subset}'").project("model, prompt, image_id, status, label")
        batches = (pl.DataFrame(batch) for batch in asked.to_arrow_reader(ROWS_AT_ONCE))
        yield read_subset(dataset, subset, batches, known.filter(dataset=dataset).drop("dataset"))


def read_subset(dataset: str, subset: str, batches: Iterable[pl.DataFrame], images: pl.DataFrame) -> Subset:
    """Return the sheets of a subset.

    Args:
        dataset: the subset's dataset.
        subset: its key.
        batches: its answers in parts; columns model, prompt, image_id, status and label, which is the answer's.
        images: columns image_id and TRUTH, the dataset's; answers about other images are left out.
    """
    images = images.sort("image_id").with_row_index("image")
    truths = images.select(TRUTH).unique().sort(TRUTH)
    truth = images.join(truths.with_row_index("number"), on=TRUTH, nulls_equal=True, maintain_order="left")["number"].to_numpy()
    found = [_counted(batch.lazy(), images) for batch in batches]
    counted = pl.concat(found).group_by("model", "prompt", *OUTCOME, "image").agg(pl.col("n").sum())
    outcomes = counted.select(OUTCOME).unique().sort(OUTCOME)
    numbered = counted.join(outcomes.with_row_index("outcome"), on=OUTCOME, nulls_equal=True)
    sheets = tuple(_sheets(numbered, images.height, outcomes.height))
    return Subset(dataset, subset, truth.astype(np.int64), truths, outcomes, sheets)


def _counted(answers: pl.LazyFrame, images: pl.DataFrame) -> pl.DataFrame:
    """Return model, prompt, OUTCOME, image (row) and n; categories instead of strings, as there may be millions of rows."""
    names = [pl.col(name).cast(pl.Categorical) for name in ("model", "prompt", "status")]
    asked = answers.with_columns(*names, predicted=pl.col("label").cast(pl.Categorical))
    numbered = asked.join(images.lazy().select("image_id", "image"), on="image_id")
    return numbered.group_by("model", "prompt", *OUTCOME, "image").agg(n=pl.len()).collect()


def _sheets(numbered: pl.DataFrame, n_images: int, n_outcomes: int) -> Iterator[Sheet]:
    for (model, prompt), rows in sorted(numbered.partition_by("model", "prompt", as_dict=True).items()):
        given = np.zeros((n_images, n_outcomes), np.int32)
        given[rows["image"].to_numpy(), rows["outcome"].to_numpy()] = rows["n"].to_numpy()
        answers, profile = np.unique(given, axis=0, return_inverse=True)
        yield Sheet(str(model), str(prompt), profile.reshape(-1).astype(np.int64), answers.astype(np.int64))
