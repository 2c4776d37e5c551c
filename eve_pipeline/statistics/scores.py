"""Scores as functions of sums over images, so that scoring any number of resampled sets of images is one matrix product."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


class Score(NamedTuple):
    """A score and what it sums up.

    `weights` (kinds, sums) is what one image of each kind adds to each sum; `function` takes sums (..., sums) to scores (...), NaN
    where a score is not defined.
    """

    function: Callable[[Floats], Floats]
    weights: Floats

    def of(self, counts: Counts) -> float:
        """Return the score of a set of images, given as how many (kinds,) there are of each kind."""
        return float(self.function(counts @ self.weights))


def weighted_f1(sums: Floats) -> Floats:
    """Return the classes' F1 weighted by support; the sums are support, predicted and correct, each once a class.

    As scikit-learn's `f1_score(average="weighted", zero_division=0)` with the classes that have support as labels.
    """
    support, f1 = _f1_by_class(sums)
    return _divided((f1 * support).sum(-1), support.sum(-1))


def macro_f1(sums: Floats) -> Floats:
    """Return the mean F1 of the classes that have support; sums as for `weighted_f1`."""
    support, f1 = _f1_by_class(sums)
    return _divided((f1 * (support > 0)).sum(-1), (support > 0).sum(-1))


def accuracy(sums: Floats) -> Floats:
    """Return the share of answers that are right; sums as for `weighted_f1`."""
    support, _, correct = np.split(sums, 3, axis=-1)
    return _divided(correct.sum(-1), support.sum(-1))


def sentiment_bias(sums: Floats) -> Floats:
    """Return (negative read as positive - positive read as negative) / n; the sums are these two and n."""
    too_bright, too_dark, n = np.moveaxis(sums, -1, 0)
    return _divided(too_bright - too_dark, n)


def _f1_by_class(sums: Floats) -> tuple[Floats, Floats]:
    support, predicted, correct = np.split(sums, 3, axis=-1)
    total = support + predicted
    return support, np.divide(2 * correct, total, out=np.zeros_like(total), where=total > 0)


def _divided(numerator: Floats, denominator: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)
