"""Intervals of every cell's scores; all scores of a cell come from the same resampled sets of its images."""

from typing import Final

import numpy as np
import polars as pl

from eve_pipeline.statistics.bootstrap import DRAWS, FEWEST_IMAGES, UNKNOWN, Interval, intervals, resample
from eve_pipeline.statistics.computing import Keep, in_parallel
from eve_pipeline.statistics.gradings import SCORINGS, Kinds, affects, emotions
from eve_pipeline.statistics.scores import Counts, Score, weighted_f1
from eve_pipeline.statistics.sheets import Sheet, Subset
from eve_pipeline.statistics.significance import mcnemar_exact

Intervals = list[tuple[float, Interval, Interval]]
SCHEMA: Final = dict.fromkeys(
    ["model", "dataset", "subset", "prompt", "metric", "scheme", "dimension", "scoring"], pl.String
) | dict.fromkeys(["estimate", "ci_low", "ci_high", "bca_low", "bca_high", "p_value"], pl.Float64)


def cell_intervals(subset: Subset, schemes: pl.DataFrame, keep: Keep, draws: int = DRAWS) -> pl.DataFrame:
    """Return intervals of weighted F1 and sentiment bias of each cell of a subset.

    Args:
        subset: the subset's sheets.
        schemes: affect schemes, as for `affects`.
        keep: keeps what was computed once.
        draws: resampled sets of images.

    Returns:
        columns model, dataset, subset, prompt, metric (weighted_f1 or sentiment_bias), scheme, dimension, scoring, estimate, ci_low,
        ci_high, bca_low, bca_high, p_value (of a sentiment bias, that it is none); NULL where a score, interval or test is not defined.
    """
    gradings = [emotions(subset), *affects(subset, schemes)]
    compute = keep(score_intervals)

    def rows(sheet: Sheet) -> list[dict[str, object]]:
        counts, kinds = _kinds(subset, sheet)
        scores = {
            ("weighted_f1", grading.scheme, grading.dimension, scoring): grading.f1(weighted_f1, scoring, kinds)
            for grading in gradings
            for scoring in SCORINGS
        } | {
            ("sentiment_bias", grading.scheme, "sentiment", "answered"): grading.bias(kinds)
            for grading in gradings
            if grading.dimension == "sentiment"
        }
        found = compute(tuple(scores.values()), counts, draws)
        cell: dict[str, object] = {"model": sheet.model, "dataset": subset.dataset, "subset": subset.subset, "prompt": sheet.prompt}
        return [
            cell
            | dict(zip(("metric", "scheme", "dimension", "scoring"), key, strict=True))
            | {"estimate": estimate, "ci_low": ci.low, "ci_high": ci.high, "bca_low": bca.low, "bca_high": bca.high}
            | {"p_value": bias_p_value(scores[key], counts) if key[0] == "sentiment_bias" else np.nan}
            for key, (estimate, ci, bca) in zip(scores, found, strict=True)
        ]

    return pl.DataFrame([row for cell in in_parallel(rows, subset.sheets) for row in cell], SCHEMA).fill_nan(None)


def score_intervals(scores: tuple[Score, ...], counts: Counts, draws: int) -> Intervals:
    """Return each score with its percentile and its BCa interval, from one resampling of the images."""
    counts_somewhere = np.hstack([score.weights for score in scores]).any(axis=1)
    scores = tuple(Score(score.function, score.weights[counts_somewhere]) for score in scores)
    counts = counts[counts_somewhere]
    if not counts.size:
        return [(np.nan, UNKNOWN, UNKNOWN) for _ in scores]
    distinct, places = np.unique(np.hstack([score.weights for score in scores]), axis=1, return_inverse=True)
    drawn = resample(counts, distinct, draws)
    ends = np.cumsum([score.weights.shape[1] for score in scores])[:-1]
    values = (score.function(drawn[:, place]) for score, place in zip(scores, np.split(places, ends), strict=True))
    return [(score.of(counts), *intervals(score, counts, value)) for score, value in zip(scores, values, strict=True)]


def bias_p_value(bias: Score, counts: Counts) -> float:
    """Return McNemar's exact p-value of both kinds of error being equally likely.

    NaN with fewer than two images, and where an image has several answers, which are not independent.
    """
    too_bright, too_dark, n = bias.weights.T
    if counts[n > 0].sum() < FEWEST_IMAGES or (n > 1).any():
        return np.nan
    return mcnemar_exact(int(counts @ too_bright), int(counts @ too_dark))


def _kinds(subset: Subset, sheet: Sheet) -> tuple[Counts, Kinds]:
    """Return how many images there are of each kind, and the kinds."""
    n_profiles = len(sheet.answers)
    kinds, counts = np.unique(subset.truth * n_profiles + sheet.profile, return_counts=True)
    return counts, Kinds(kinds // n_profiles, sheet.answers[kinds % n_profiles])
