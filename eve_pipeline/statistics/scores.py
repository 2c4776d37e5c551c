"""Scores as functions of sums over images, so that scoring any number of resampled sets of images is one matrix product."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


class Score(NamedTuple):
    """A score and what it sums up.

    `weights` (kinds, sums) is what one image of each kind adds to each sum; `function` takes sums (..., sums) to a score (...), or to
    several of them (..., scores), NaN where one is not defined. `with_bca` asks for the BCa interval beside the percentile one.
    """

    function: Callable[[Floats], Floats]
    weights: Floats
    with_bca: bool = False

    def of(self, counts: Counts) -> float:
        """Return the score, a single one, of a set of images, given as how many (kinds,) there are of each kind."""
        return float(self.function(counts @ self.weights))


def weighted_f1(sums: Floats) -> Floats:
    """Return the classes' F1 weighted by support; the sums are support, predicted and correct, each once a class.

    As scikit-learn's `f1_score(average="weighted", zero_division=0)` with the classes that have support as labels.
    """
    return _weighted(*_f1_by_class(sums))


def macro_f1(sums: Floats) -> Floats:
    """Return the mean F1 of the classes that have support; sums as for `weighted_f1`."""
    return _macro(*_f1_by_class(sums))


def accuracy(sums: Floats) -> Floats:
    """Return the share of answers that are right; sums as for `weighted_f1`."""
    support, _, correct = _parts(sums, 3)
    return _divided(correct.sum(-1), support.sum(-1))


def averages(sums: Floats) -> Floats:
    """Return weighted F1, macro F1 and accuracy (..., 3); sums as for `weighted_f1`."""
    support, f1 = _f1_by_class(sums)
    return np.stack([_weighted(support, f1), _macro(support, f1), accuracy(sums)], axis=-1)


def by_class(sums: Floats) -> Floats:
    """Return F1, precision and recall, each once a class, NaN where their denominator is 0; sums as for `weighted_f1`."""
    support, predicted, correct = _parts(sums, 3)
    return np.concatenate([_divided(2 * correct, support + predicted), _divided(correct, predicted), _divided(correct, support)], axis=-1)


def shares(sums: Floats) -> Floats:
    """Return each sum's share in all (..., sums)."""
    return _divided(sums, sums.sum(axis=-1, keepdims=True))


def means(sums: Floats) -> Floats:
    """Return each sum but the last divided by the last, a number of answers or images (..., sums - 1)."""
    return _divided(sums[..., :-1], sums[..., -1:])


def calibration(sums: Floats) -> Floats:
    """Return ECE, then accuracy and Brier score, each of all answers and once a bin of confidence (..., 3 + 2 * bins).

    The sums are answers, confidence, right ones and squared distances of confidence from right or wrong, each once a bin.
    """
    n, confidence, right, squares = _parts(sums, 4)
    error = _divided(np.abs(confidence - right).sum(-1, keepdims=True), n.sum(-1, keepdims=True))
    rates = [
        _divided(np.concatenate([of.sum(-1, keepdims=True), of], axis=-1), np.concatenate([n.sum(-1, keepdims=True), n], axis=-1))
        for of in (right, squares)
    ]
    return np.concatenate([error, *rates], axis=-1)


def sentiment_bias(sums: Floats) -> Floats:
    """Return (negative read as positive - positive read as negative) / n; the sums are these two and n."""
    too_bright, too_dark, n = np.moveaxis(sums, -1, 0)
    return _divided(too_bright - too_dark, n)


def _parts(sums: Floats, n: int) -> list[Floats]:
    """Return the sums in n equal parts; np.split takes forty times as long."""
    size = sums.shape[-1] // n
    return [sums[..., part * size : (part + 1) * size] for part in range(n)]


def _f1_by_class(sums: Floats) -> tuple[Floats, Floats]:
    support, predicted, correct = _parts(sums, 3)
    total = support + predicted
    return support, np.divide(2 * correct, total, out=np.zeros_like(total), where=total > 0)


def _weighted(support: Floats, f1: Floats) -> Floats:
    return _divided((f1 * support).sum(-1), support.sum(-1))


def _macro(support: Floats, f1: Floats) -> Floats:
    return _divided(f1.sum(-1), np.sign(support).sum(-1))  # what has no support has an F1 of 0


def _divided(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)[()]
