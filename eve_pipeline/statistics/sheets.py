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
    said = pl.concat([_numbered(batch.lazy(), images) for batch in batches])
    outcomes = said.select(OUTCOME).unique().sort(OUTCOME)
    said = said.join(outcomes.with_row_index("outcome"), on=OUTCOME, nulls_equal=True)
    sheets = tuple(_sheets(said, images.height, outcomes.height))
    return Subset(dataset, subset, truth.astype(np.int64), truths, outcomes, sheets)


def _numbered(answers: pl.LazyFrame, images: pl.DataFrame) -> pl.DataFrame:
    """Return model, prompt, OUTCOME and image (row); categories instead of strings, as there may be millions of rows."""
    names = [pl.col(name).cast(pl.Categorical) for name in ("model", "prompt", "status")]
    asked = answers.select("image_id", *names, predicted=pl.col("label").cast(pl.Categorical))
    return asked.join(images.lazy().select("image_id", "image"), on="image_id").drop("image_id").collect()


def _sheets(said: pl.DataFrame, n_images: int, n_outcomes: int) -> Iterator[Sheet]:
    place = pl.col("image").cast(pl.Int64) * n_outcomes + pl.col("outcome")
    for (model, prompt), rows in sorted(said.select("model", "prompt", place=place).partition_by("model", "prompt", as_dict=True).items()):
        given = np.bincount(rows["place"].to_numpy(), minlength=n_images * n_outcomes).reshape(n_images, n_outcomes)
        yield Sheet(str(model), str(prompt), *_profiles(given))


def _profiles(given: Counts) -> tuple[Numbers, Counts]:
    """Return each row's number, and the distinct rows in ascending order; each row is read as one number, as sorting rows takes long."""
    numbers, n_numbers = np.zeros(len(given), np.int64), 1
    for column in given.T:
        base = int(column.max(initial=0)) + 1
        if n_numbers * base > np.iinfo(np.int64).max:
            numbers = np.unique(numbers, return_inverse=True)[1]
            n_numbers = int(numbers.max()) + 1
        numbers, n_numbers = numbers * base + column, n_numbers * base
    _, first, profile = np.unique(numbers, return_index=True, return_inverse=True)
    return profile, given[first]
