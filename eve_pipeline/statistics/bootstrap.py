"""Bootstrap over images: intervals of a score, and of the difference of two scores on the same images.

Images that count alike are of one kind. Drawing n images with replacement is then drawing the kinds' counts from a multinomial
distribution, whatever n is: with one answer an image the kinds are the confusion cells, with several an image's truth and how often
which answer was given about it. Of many images of few kinds the counts are drawn independently, from Poisson distributions.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr, ndtri, xlogy

from eve_pipeline.statistics.scores import Counts, Floats, Score

DRAWS: Final = 10_000
LEVEL: Final = 0.95
SEED: Final = 20250209
FEWEST_IMAGES: Final = 2
MANY_IMAGES: Final = 1_000
"""From here on Poisson counts widen an interval by less than a thousandth, a tenth of what 10,000 draws leave to chance."""

TIE: Final = 1e-12
"""Scores this near are equal: in which order a library adds up decides the last bit."""

WORD: Final = 64
_NUMBERS_AT_ONCE: Final = 1_000_000
_FEW_KINDS: Final = 200


class Interval(NamedTuple):
    """Limits of an interval, or of each of several scores' intervals; NaN where it is not defined."""

    low: Floats
    high: Floats


def resample(counts: Counts, weights: Floats, draws: int = DRAWS, seed: int = SEED) -> Floats:
    """Return the sums (draws, sums) of sets of images drawn with replacement.

    With MANY_IMAGES and more, of few kinds, a set has as many images on average: kinds are drawn by themselves, in a fifth of the time,
    and scores are ratios, to which the number of images is nothing.

    Args:
        counts: images of each kind (kinds,).
        weights: what one image of each kind adds to each sum (kinds, sums).
        draws: number of sets.
        seed: of the random numbers; equal arguments give equal sums.

    Source: Hanley and MacGibbon (2006), Creating non-parametric bootstrap samples using Poisson frequencies, Computer Methods and
    Programs in Biomedicine 83(1), 57-62.
    """
    sums = np.empty((weights.shape[1], draws))
    if counts.sum() >= MANY_IMAGES and counts.size <= _FEW_KINDS:
        _sum_poisson(sums, counts, weights, seed)
    else:
        _sum_multinomial(sums, counts, weights, seed)
    return sums.T  # each sum's draws lie side by side: scores take half the time


def _sum_multinomial(sums: Floats, counts: Counts, weights: Floats, seed: int) -> None:
    frequent_first = np.argsort(-counts, kind="stable")  # a draw that runs out of images early is done
    counts, weights = counts[frequent_first], weights[frequent_first]
    generator, n, done = np.random.default_rng(seed), counts.sum(), 0
    for size in _batches(sums.shape[1], counts.size):
        np.matmul(weights.T, generator.multinomial(n, counts / n, size).T.astype(float), out=sums[:, done : done + size])
        done += size


def _sum_poisson(sums: Floats, counts: Counts, weights: Floats, seed: int) -> None:
    """Draw how often each count comes, then in which order, which takes a tenth of the time of drawing them one by one."""
    generator, draws = np.random.default_rng(seed), sums.shape[1]
    drawn = np.empty((counts.size, draws))
    for mean, order, row in zip(counts, _orders(draws, seed), drawn, strict=False):
        np.take(_poisson(mean, draws, generator), order, out=row, mode="clip")  # what may raise is buffered, at half the speed
    np.matmul(weights.T, drawn, out=sums)


@lru_cache(maxsize=1)
def _orders(draws: int, seed: int) -> Counts:
    """Return independent random orders (_FEW_KINDS, draws) of the draws, one for each kind that there may be."""
    return np.random.default_rng([seed, draws]).permuted(np.tile(np.arange(draws), (_FEW_KINDS, 1)), axis=1)


def _poisson(mean: int, draws: int, generator: np.random.Generator) -> Floats:
    """Return Poisson numbers (draws,) in ascending order."""
    reach = 9 * np.sqrt(mean) + 10  # less than 1e-16 lies beyond
    values = np.arange(max(0, int(mean - reach)), int(mean + reach) + 1)
    likely = np.exp(xlogy(values, mean) - mean - gammaln(values + 1))
    return np.repeat(values.astype(float), generator.multinomial(draws, likely / likely.sum()))


def percentile_interval(drawn: Floats, level: float = LEVEL) -> Interval:
    """Return the percentile interval of a score's values in resampled sets; sets in which it is not defined are left out.

    Args:
        drawn: values (draws,), or (draws, scores) of several scores.
        level: share of sets of images in which the interval shall cover the true score.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    return _percentile(_ordered(drawn), level)


def bca_interval(score: Score, counts: Counts, drawn: Floats, level: float = LEVEL) -> Interval:
    """Return the bias-corrected and accelerated interval; NaN where every resampled value lies on one side of the score.

    Args:
        score: the score, with which the jackknife over images is computed.
        counts: images of each kind (kinds,).
        drawn: the score's values in resampled sets, as for `percentile_interval`.
        level: share of sets of images in which the interval shall cover the true score.

    Source: Efron (1987), Better bootstrap confidence intervals, JASA 82(397), 171-185; ties count half, as in scipy.stats.bootstrap.
    """
    return _bca(score, counts, _ordered(drawn), level)


def intervals(score: Score, counts: Counts, drawn: Floats) -> tuple[Interval, Interval]:
    """Return the percentile and the BCa interval, both NaN with fewer than two images on which the score is defined.

    The BCa interval is also NaN where the score does not ask for it.
    """
    ordered = _ordered(drawn)
    n = counts @ ~np.isnan(score.function(score.weights))
    percentile, bca = (
        Interval(*(np.where(n < FEWEST_IMAGES, np.nan, end) for end in found))
        for found in (_percentile(ordered, LEVEL), _bca(score, counts, ordered, LEVEL) if score.with_bca else (np.nan, np.nan))
    )
    return percentile, bca


class _Ordered(NamedTuple):
    """Values (..., draws) in ascending order, NaN last, and how many (...,) are not."""

    values: Floats
    n: Counts


def _ordered(drawn: Floats) -> _Ordered:
    values = np.sort(np.ascontiguousarray(drawn.T), axis=-1)
    return _Ordered(values, np.count_nonzero(~np.isnan(values), axis=-1))


def _percentile(ordered: _Ordered, level: float) -> Interval:
    return _quantiles(ordered, np.array([(1 - level) / 2, (1 + level) / 2]))


def _bca(score: Score, counts: Counts, ordered: _Ordered, level: float) -> Interval:
    observed = score.function(counts @ score.weights)[..., None]
    smaller = np.count_nonzero(ordered.values < observed - TIE, axis=-1) + np.count_nonzero(ordered.values <= observed + TIE, axis=-1)
    with np.errstate(invalid="ignore"):
        bias = ndtri(smaller / (2 * ordered.n))
        bias, acceleration = np.where(np.isfinite(bias), bias, np.nan), _acceleration(score, counts)
        z = bias[..., None] + ndtri([(1 - level) / 2, (1 + level) / 2])
        return _quantiles(ordered, ndtr(bias[..., None] + z / (1 - acceleration[..., None] * z)))


def _quantiles(ordered: _Ordered, levels: Floats) -> Interval:
    """Return two quantiles (..., 2) of the defined values as np.quantile does, which takes three times as long for 10,000 values."""
    last = np.maximum(ordered.n - 1, 0)[..., None]
    place = levels * last
    below = np.where(np.isnan(place), 0, place).astype(np.int64)
    values, next_values = (np.take_along_axis(ordered.values, rank, axis=-1) for rank in (below, np.minimum(below + 1, last)))
    return Interval(*np.moveaxis(values + (place - below) * (next_values - values), -1, 0))


def _acceleration(score: Score, counts: Counts) -> Floats:
    """Return the skewness (...,) of the score's jackknife values over images, by six times their spread."""
    left_out = score.function(counts @ score.weights - score.weights).T
    known = ~np.isnan(left_out) & (counts > 0)
    values, weights = np.where(known, left_out, 0), np.where(known, counts, 0)
    with np.errstate(invalid="ignore"):
        differences = (weights * values).sum(axis=-1, keepdims=True) / weights.sum(axis=-1, keepdims=True) - values
        spread = (weights * differences**2).sum(axis=-1) ** 1.5
        return np.where(spread > 0, (weights * differences**3).sum(axis=-1) / (6 * spread), 0)


def swap_p_value(first: Score, second: Score, counts: Counts, draws: int = DRAWS, seed: int = SEED) -> float:
    """Return the two-sided p-value of the hypothesis that which side gave which answers about an image is chance.

    In each draw every image exchanges its answers with probability one half; the p-value is the share of draws, the observed one
    counted as one of them, in which the scores differ at least as much as observed.

    Args:
        first: one side's score; both have the same function.
        second: the other side's.
        counts: images of each kind (kinds,).
        draws: number of draws.
        seed: of the random numbers.

    Source: Noreen (1989), Computer-Intensive Methods for Testing Hypotheses; Phipson and Smyth (2010), Permutation p-values should
    never be zero, for the one that is added.
    """
    observed = abs(first.of(counts) - second.of(counts))
    moved = second.weights - first.weights
    differ = moved.any(axis=1)
    tossed, kind = _words(counts[differ])
    moved, generator = moved[differ][kind], np.random.default_rng(seed)
    totals = counts @ first.weights, counts @ second.weights
    n_as_far = 0
    for size in _batches(draws, max(tossed.size, 1)):
        n_heads = np.bitwise_count(generator.integers(0, 2**WORD, (size, tossed.size), dtype=np.uint64) >> (WORD - tossed))
        change = n_heads.astype(float) @ moved
        differences = np.abs(first.function(totals[0] + change) - second.function(totals[1] - change))
        n_as_far += int(np.count_nonzero(differences >= observed - TIE))
    return (1 + n_as_far) / (1 + draws)


def _words(counts: Counts) -> tuple[NDArray[np.uint64], Counts]:
    """Return how many bits (words,) of each random word are tosses, and which kind (words,) they are for.

    A toss for each image is a random bit: counting the bits of whole words is ten times faster than drawing binomial numbers.
    """
    n_words = -(-counts // WORD)
    kind = np.repeat(np.arange(counts.size), n_words)
    tossed = np.full(kind.size, WORD, dtype=np.uint64)
    tossed[np.cumsum(n_words) - 1] = counts - (n_words - 1) * WORD
    return tossed, kind


def _batches(draws: int, width: int) -> Iterator[int]:
    """Yield numbers of draws that add up, each small enough to be held in memory at once."""
    most = max(1, _NUMBERS_AT_ONCE // width)
    yield from (min(most, draws - done) for done in range(0, draws, most))
