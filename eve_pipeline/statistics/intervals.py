"""Intervals of every cell's scores; all scores of a cell come from the same resampled sets of its images."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from eve_pipeline.statistics.bootstrap import DRAWS, FEWEST_IMAGES, intervals, resample
from eve_pipeline.statistics.computing import Keep, in_parallel
from eve_pipeline.statistics.gradings import CATEGORIES, SCORINGS, Grading, Kinds, affects, emotions, errors
from eve_pipeline.statistics.scores import Counts, Floats, Score, averages, by_class
from eve_pipeline.statistics.sheets import Sheet, Subset
from eve_pipeline.statistics.significance import mcnemar_exact

ESTIMATES: Final = dict.fromkeys(["estimate", "ci_low", "ci_high"], pl.Float64)
BCA: Final = dict.fromkeys(["bca_low", "bca_high"], pl.Float64)
CELL: Final = dict.fromkeys(["model", "dataset", "subset", "prompt"], pl.String)
KEY: Final = dict.fromkeys(["metric", "scheme", "dimension", "scoring", "part"], pl.String)
SCHEMA: Final = CELL | KEY | ESTIMATES | BCA | {"p_value": pl.Float64}


class Key(NamedTuple):
    """Which score of a cell it is."""

    metric: str
    scheme: str
    dimension: str
    scoring: str
    part: str | None = None


def cell_intervals(subset: Subset, schemes: pl.DataFrame, keep: Keep, draws: int = DRAWS) -> pl.DataFrame:
    """Return the scores of each cell of a subset with their intervals.

    Args:
        subset: the subset's sheets.
        schemes: affect schemes, as for `affects`.
        keep: keeps what was computed once.
        draws: resampled sets of images.

    Returns:
        columns model, dataset, subset, prompt, metric (weighted_f1, macro_f1, accuracy; f1, precision, recall of one class; error_share of
        one error category; sentiment_bias), scheme, dimension, scoring, part (that class or category, else NULL), estimate, ci_low,
        ci_high, bca_low, bca_high (not of parts), p_value (of a sentiment bias, that it is none); NULL where a score, interval or test is
        not defined.
    """
    gradings = [emotions(subset), *affects(subset, schemes)]
    compute = keep(score_intervals)

    def rows(sheet: Sheet) -> list[dict[str, object]]:
        counts, kinds = kinds_of(subset, sheet)
        keys, scores = zip(*_scores(gradings, kinds), strict=True)
        cell: dict[str, object] = {"model": sheet.model, "dataset": subset.dataset, "subset": subset.subset, "prompt": sheet.prompt}
        tests = {key: bias_p_value(score, counts) for (key, *_), score in zip(keys, scores, strict=True) if key.metric == "sentiment_bias"}
        found = zip((key for of_score in keys for key in of_score), compute(scores, counts, draws), strict=True)
        return [
            cell | key._asdict() | dict(zip(ESTIMATES | BCA, numbers, strict=True)) | {"p_value": tests.get(key, np.nan)}
            for key, numbers in found
            if key.part is None or not np.isnan(numbers[0])
        ]

    return pl.DataFrame([row for cell in in_parallel(rows, subset.sheets) for row in cell], SCHEMA).fill_nan(None)


def score_intervals(scores: Sequence[Score], counts: Counts, draws: int) -> Floats:
    """Return each single score with its percentile and its BCa interval (scores, ESTIMATES and BCA), from one resampling of the images."""
    counts_somewhere = np.hstack([score.weights for score in scores]).any(axis=1)
    scores = [score._replace(weights=score.weights[counts_somewhere]) for score in scores]
    counts = counts[counts_somewhere]
    if not counts.size:
        return np.vstack([_columns(score.function(score.weights.sum(axis=0)), *[np.nan] * 4) for score in scores])
    sums = np.hstack([score.weights for score in scores]).T
    numbers: dict[bytes, int] = {}
    places = np.array([numbers.setdefault(column.tobytes(), len(numbers)) for column in sums])
    drawn = resample(counts, sums[np.unique(places, return_index=True)[1]].T, draws)
    ends = np.cumsum([score.weights.shape[1] for score in scores])[:-1]
    known: dict[tuple[object, ...], Floats] = {}  # schemes that agree on a dataset's labels have the same scores
    found = []
    for score, place in zip(scores, np.split(places, ends), strict=True):
        same = (score.function, *place)
        if same not in known:
            percentile, bca = intervals(score, counts, score.function(drawn[:, place]))
            known[same] = _columns(score.function(counts @ score.weights), *percentile, *bca)
        found.append(known[same])
    return np.vstack(found)


def bias_p_value(bias: Score, counts: Counts) -> float:
    """Return McNemar's exact p-value of both kinds of error being equally likely.

    NaN with fewer than two images, and where an image has several answers, which are not independent.
    """
    too_bright, too_dark, n = bias.weights.T
    if counts[n > 0].sum() < FEWEST_IMAGES or (n > 1).any():
        return np.nan
    return mcnemar_exact(int(counts @ too_bright), int(counts @ too_dark))


def kinds_of(subset: Subset, sheet: Sheet) -> tuple[Counts, Kinds]:
    """Return how many images there are of each kind in a cell's sheet, and the kinds."""
    n_profiles = len(sheet.answers)
    kinds, counts = np.unique(subset.truth * n_profiles + sheet.profile, return_counts=True)
    return counts, Kinds(kinds // n_profiles, sheet.answers[kinds % n_profiles])


def _scores(gradings: Sequence[Grading], kinds: Kinds) -> Iterator[tuple[list[Key], Score]]:
    """Yield what is computed of a cell, each with the keys of what it returns."""
    emotion, of_scheme = gradings[0], _by_scheme(gradings[1:])
    for grading in gradings:
        for scoring in SCORINGS:
            of = (grading.scheme, grading.dimension, scoring)
            yield (
                [Key(metric, *of) for metric in ("weighted_f1", "macro_f1", "accuracy")],
                grading.f1(averages, scoring, kinds, with_bca=True),
            )
    for scoring in SCORINGS if emotion.classes else ():
        classes = [
            Key(metric, emotion.scheme, emotion.dimension, scoring, label)
            for metric in ("f1", "precision", "recall")
            for label in emotion.classes
        ]
        yield classes, emotion.f1(by_class, scoring, kinds)
    for scheme, sides in of_scheme.items():
        yield [Key("sentiment_bias", scheme, "sentiment", "answered")], sides["sentiment"].bias(kinds)
        categories = [Key("error_share", scheme, emotion.dimension, "answered", category) for category in CATEGORIES]
        yield categories, errors(emotion, sides["sentiment"], sides["arousal"], kinds)


def _by_scheme(gradings: Sequence[Grading]) -> Mapping[str, Mapping[str, Grading]]:
    found: dict[str, dict[str, Grading]] = {}
    for grading in gradings:
        found.setdefault(grading.scheme, {})[grading.dimension] = grading
    return found


def _columns(*values: Floats | float) -> Floats:
    return np.column_stack([column.ravel() for column in np.broadcast_arrays(*values)])
