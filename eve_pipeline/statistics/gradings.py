"""What counts as right: emotions as they are, or only their sentiment or arousal under an affect scheme."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eve_pipeline.statistics.scores import Counts, Floats, Score, means, sentiment_bias, shares
from eve_pipeline.statistics.sheets import Numbers, Subset

FAILURES = ("error", "missing")
SCORINGS = ("strict", "answered")
CATEGORIES = ("I", "II", "III", "undetermined")
SIDES = {"sentiment": ("positive", "negative"), "arousal": ("high", "low")}
Scoring = Literal["strict", "answered"]


class Kinds(NamedTuple):
    """Images that count alike: their truth (kinds,), a row of `Subset.truths`, and what was answered about each (kinds, outcomes)."""

    truth: Numbers
    answers: Counts


class Grading(NamedTuple):
    """The classes that truths and outcomes fall into, which have a name each.

    `of_truth` (truths, classes) and `of_outcome` (outcomes, classes) hold 1 at a row's class; a row of zeros has none.
    """

    scheme: str
    dimension: str
    classes: tuple[str, ...]
    of_truth: Floats
    of_outcome: Floats
    is_scored: dict[str, Floats]

    def f1(self, function: Callable[[Floats], Floats], scoring: str, kinds: Kinds, *, with_bca: bool = False) -> Score:
        """Return a score of support, predictions and correct ones in each class, with its weights for these kinds."""
        of, said = self._sides(kinds)
        n_scored = kinds.answers @ self.is_scored[scoring]
        return Score(function, np.hstack([of * n_scored[:, None], said, of * said]), with_bca)

    def rate(self, scoring: str, kinds: Kinds) -> Score:
        """Return the share of answers that have a class at all, of those about images that have one."""
        of, said = self._sides(kinds)
        n_scored = kinds.answers @ self.is_scored[scoring] * of.sum(axis=1)
        return Score(means, np.column_stack([said.sum(axis=1), n_scored]))

    def bias(self, kinds: Kinds) -> Score:
        """Return the sentiment bias, for a grading of sentiment."""
        of, said = self._sides(kinds)
        positive, negative = SIDES["sentiment"].index("positive"), SIDES["sentiment"].index("negative")
        too_bright, too_dark = of[:, negative] * said[:, positive], of[:, positive] * said[:, negative]
        return Score(sentiment_bias, np.column_stack([too_bright, too_dark, said.sum(axis=1)]), with_bca=True)

    def _sides(self, kinds: Kinds) -> tuple[Floats, Floats]:
        of = self.of_truth[kinds.truth]
        return of, (kinds.answers @ self.of_outcome) * of.sum(axis=1, keepdims=True)


def emotions(subset: Subset) -> Grading:
    """Return the grading that compares labels as they are; its classes are all labels of truths and answers, in order."""
    truths, outcomes = subset.truths["truth"].cast(pl.String), subset.outcomes["predicted"].cast(pl.String)
    classes = tuple(sorted(set(truths.drop_nulls()) | set(outcomes.drop_nulls())))
    return Grading("labels", "emotion", classes, _one_hot(truths, classes), _one_hot(outcomes, classes), _scored(subset))


def open_emotions(subset: Subset, thresholds: list[float]) -> list[Grading]:
    """Return the grading under each threshold of similarity, of a subset whose answers are written `label@highest threshold`."""
    truths = subset.truths["truth"].cast(pl.String)
    read = subset.outcomes.select(
        label=pl.col("predicted").cast(pl.String).str.extract(r"^(.*)@"),
        highest=pl.col("predicted").cast(pl.String).str.extract(r"@([^@]*)$").cast(pl.Float64),
    )
    classes = tuple(sorted(set(truths.drop_nulls()) | set(read["label"].drop_nulls())))
    of_truth, of_outcome = _one_hot(truths, classes), _one_hot(read["label"], classes)
    is_read = [(read["highest"] >= threshold).fill_null(value=False).to_numpy().astype(float) for threshold in thresholds]
    return [Grading("labels", "emotion", classes, of_truth, of_outcome * one[:, None], _scored(subset)) for one in is_read]


def affects(subset: Subset, schemes: pl.DataFrame) -> list[Grading]:
    """Return the gradings by sentiment and by arousal under each scheme.

    A truth's side is that of its label; only where there is no label it is that of the image's rating.

    Args:
        subset: the subset.
        schemes: columns scheme, emotion, sentiment, arousal; case does not matter in looking up an emotion.
    """
    gradings = []
    for scheme in schemes["scheme"].unique().sort():
        rows = schemes.filter(scheme=scheme)
        for dimension, sides in SIDES.items():
            of = dict(zip(rows["emotion"].str.to_lowercase(), rows[dimension], strict=True))
            truths = [
                rating if label is None else of.get(label.lower())
                for label, rating in subset.truths.select("truth", f"rating_{dimension}").iter_rows()
            ]
            outcomes = [None if label is None else of.get(str(label).lower()) for label in subset.outcomes["predicted"]]
            of_truth, of_outcome = (_one_hot(pl.Series(values, dtype=pl.String), sides) for values in (truths, outcomes))
            gradings.append(Grading(scheme, dimension, sides, of_truth, of_outcome, _scored(subset)))
    return gradings


def errors(emotion: Grading, sentiment: Grading, arousal: Grading, kinds: Kinds) -> Score:
    """Return the share of each of CATEGORIES in the wrong answers, for the gradings of one scheme."""
    is_wrong = _are_known(emotion) & ~_are_alike(emotion)
    same_arousal = (arousal.of_truth[:, None] == arousal.of_outcome).all(axis=-1)
    category = np.select([~_are_known(sentiment), ~_are_alike(sentiment), ~same_arousal], [3, 0, 1], 2)
    weights = [(kinds.answers * (is_wrong & (category == place))[kinds.truth]).sum(axis=1) for place in range(len(CATEGORIES))]
    return Score(shares, np.column_stack(weights).astype(float))


def _are_known(grading: Grading) -> NDArray[np.bool_]:
    """Return whether a truth and an outcome (truths, outcomes) both have a class."""
    return np.outer(grading.of_truth.any(axis=1), grading.of_outcome.any(axis=1))


def _are_alike(grading: Grading) -> NDArray[np.bool_]:
    return grading.of_truth @ grading.of_outcome.T > 0


def _one_hot(values: pl.Series, classes: tuple[str, ...]) -> Floats:
    return np.column_stack([(values == one).fill_null(value=False).to_numpy().astype(float) for one in classes] or [np.zeros(len(values))])


def _scored(subset: Subset) -> dict[str, Floats]:
    status = subset.outcomes["status"].cast(pl.String)
    masks = {"strict": ~status.is_in(FAILURES), "answered": status == "ok"}
    return {scoring: mask.to_numpy().astype(float) for scoring, mask in masks.items()}
