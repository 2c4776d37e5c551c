"""Intervals of what answers in the model's own words come to, under every threshold of similarity."""

from collections.abc import Iterator
from typing import Final

import polars as pl

from eve_pipeline.statistics.bootstrap import DRAWS
from eve_pipeline.statistics.computing import Keep, in_parallel
from eve_pipeline.statistics.gradings import Kinds, open_emotions
from eve_pipeline.statistics.intervals import CELL, ESTIMATES, kinds_of, score_intervals
from eve_pipeline.statistics.scores import Score, averages
from eve_pipeline.statistics.sheets import Sheet, Subset

SCHEMA: Final = CELL | {"threshold": pl.Float64, "metric": pl.String} | ESTIMATES
METRICS: Final = ("weighted_f1", "macro_f1", "accuracy", "fine_grained_rate")


def open_intervals(subset: Subset, thresholds: list[float], keep: Keep, draws: int = DRAWS) -> pl.DataFrame:
    """Return the scores of each cell of a subset with their intervals, strict scoring.

    Args:
        subset: the subset's sheets; labels of answers as for `open_emotions`.
        thresholds: cosine similarities from which the nearest label counts as the answer.
        keep: keeps what was computed once.
        draws: resampled sets of images.

    Returns:
        columns model, dataset, subset, prompt, threshold, metric (METRICS), estimate, ci_low, ci_high; NULL where a score or interval is
        not defined.
    """
    gradings, compute = open_emotions(subset, thresholds), keep(score_intervals)

    def scores(kinds: Kinds) -> Iterator[Score]:
        for grading in gradings:
            yield grading.f1(averages, "strict", kinds)
            yield grading.rate("strict", kinds)

    def rows(sheet: Sheet) -> list[tuple[object, ...]]:
        counts, kinds = kinds_of(subset, sheet)
        found = compute(tuple(scores(kinds)), counts, draws)
        keys = [(threshold, metric) for threshold in thresholds for metric in METRICS]
        cell = (sheet.model, subset.dataset, subset.subset, sheet.prompt)
        return [(*cell, *key, *numbers) for key, numbers in zip(keys, found[:, : len(ESTIMATES)].tolist(), strict=True)]

    return pl.DataFrame([row for cell in in_parallel(rows, subset.sheets) for row in cell], SCHEMA, orient="row").fill_nan(None)
