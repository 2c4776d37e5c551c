"""Intervals of scores that are not of the confusion of labels: agreement with votes and with oneself, calibration."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from eve_pipeline.statistics.bootstrap import DRAWS
from eve_pipeline.statistics.computing import Keep, in_parallel
from eve_pipeline.statistics.intervals import CELL, ESTIMATES, score_intervals
from eve_pipeline.statistics.scores import Floats, Score, calibration, means, weighted_f1

SCHEMA: Final = CELL | {"source": pl.String, "bin": pl.Int64, "metric": pl.String} | ESTIMATES
Part = tuple["list[Key]", Callable[[Floats], Floats], Floats]


class Key(NamedTuple):
    """Which score of a cell it is."""

    source: str | None
    bin: int | None
    metric: str


class ImageSums(NamedTuple):
    """What each image adds to the scores of a cell, in tables of schema `intermediate`; all have CELL and image_id.

    `votes` (vote_images) has columns label, support, n_predicted, n_correct; `distances` (vote_distances) jensen_shannon,
    earth_movers_distance; `confidences` source, bin, n, confidence, n_right, squares; `repeated` (repeated_images) agreement, is_flipped.
    """

    votes: pl.DataFrame
    distances: pl.DataFrame
    confidences: pl.DataFrame
    repeated: pl.DataFrame


def image_intervals(images: ImageSums, keep: Keep, draws: int = DRAWS) -> pl.DataFrame:
    """Return the scores of marts.vote_agreement, calibration and repeat_stability with their intervals.

    Args:
        images: what each image adds.
        keep: keeps what was computed once.
        draws: resampled sets of images.

    Returns:
        columns model, dataset, subset, prompt, source (of confidence, else NULL), bin (of calibration, else NULL), metric, estimate,
        ci_low, ci_high; NULL where a score or interval is not defined.
    """
    compute = keep(score_intervals)

    def rows(one: tuple[tuple[object, ...], Part]) -> list[tuple[object, ...]]:
        cell, (keys, function, sums) = one
        weights, counts = np.unique(sums, axis=0, return_counts=True)  # images that count alike are of one kind
        found = compute((Score(function, weights),), counts, draws)
        return [(*cell, *key, *numbers) for key, numbers in zip(keys, found[:, : len(ESTIMATES)].tolist(), strict=True)]

    parts: Mapping[Callable[[pl.DataFrame], Iterator[Part]], pl.DataFrame] = {
        _soft_accuracy: images.votes,
        _expected_f1: images.votes,
        _distances: images.distances,
        _calibration: images.confidences,
        _stability: images.repeated,
    }
    cells = (
        (cell, part)
        for of, frame in parts.items()
        for cell, rows_of_cell in sorted(frame.partition_by(*CELL, as_dict=True).items())
        for part in of(rows_of_cell)
    )
    return pl.DataFrame([row for cell in in_parallel(rows, cells) for row in cell], SCHEMA, orient="row").fill_nan(None)


def _soft_accuracy(votes: pl.DataFrame) -> Iterator[Part]:
    images = votes.group_by("image_id").agg(pl.col("n_correct", "n_predicted").sum())
    yield [Key(None, None, "soft_accuracy")], means, images.select("n_correct", "n_predicted").to_numpy()


def _expected_f1(votes: pl.DataFrame) -> Iterator[Part]:
    sums = ("support", "n_predicted", "n_correct")
    wide = votes.pivot(on="label", index="image_id", values=sums, sort_columns=True).fill_null(0)
    yield [Key(None, None, "expected_f1")], weighted_f1, wide.drop("image_id").to_numpy().astype(float)


def _distances(distances: pl.DataFrame) -> Iterator[Part]:
    metrics = ("jensen_shannon", "earth_movers_distance")
    yield [Key(None, None, metric) for metric in metrics], means, distances.select(*metrics, n=1.0).to_numpy()


def _calibration(confidences: pl.DataFrame) -> Iterator[Part]:
    sums = ("n", "confidence", "n_right", "squares")
    for (source,), of_source in sorted(confidences.partition_by("source", as_dict=True).items()):
        wide = of_source.sort("bin").pivot(on="bin", index="image_id", values=sums).fill_null(0)
        bins = [None, *of_source["bin"].unique().sort()]
        keys = [Key(source, None, "expected_calibration_error")]
        keys += [Key(source, one, metric) for metric in ("accuracy", "brier_score") for one in bins]
        yield keys, calibration, wide.drop("image_id").to_numpy().astype(float)


def _stability(repeated: pl.DataFrame) -> Iterator[Part]:
    sums = repeated.select(pl.col("agreement"), pl.col("is_flipped").cast(pl.Float64), n=1.0)
    yield [Key(None, None, metric) for metric in ("agreement", "flip_rate")], means, sums.to_numpy()
