"""Whether a model chooses by position: a permutation test that knows nothing of the labels' own pull."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eve_pipeline.statistics.bootstrap import DRAWS, SEED
from eve_pipeline.statistics.scores import Floats

Integers = NDArray[np.int64]

AT_ONCE = 2_000_000
"""Answers that are permuted at once; bounds the memory."""


class PositionTest(NamedTuple):
    """How often each position was chosen, how often it would be on average were answers blind to the order, and the p-value."""

    counts: Integers
    expected: Floats
    p_value: float


def position_test(groups: Integers, orders: Integers, labels: Integers, positions: Integers, draws: int = DRAWS) -> PositionTest:
    """Return the test of H0: the answers of a group (an image, asked in many orders) do not depend on the order.

    Under H0 any assignment of a group's answers to its orders is equally likely. The statistic is the sum over positions of
    (count - expected)^2 / expected; p = (1 + permutations with as large a one) / (1 + draws).

    Args:
        groups: group of each answer, shape (n,).
        orders: number of the order in which it was given, shape (n,).
        labels: number of the label that was chosen, shape (n,).
        positions: position of each label in each order, from 0, shape (orders, k).
        draws: number of permutations.

    Source: P. I. Good (2005), Permutation, Parametric, and Bootstrap Tests of Hypotheses, chapter 3; B. Phipson and G. K. Smyth (2010),
    Permutation p-values should never be zero, Statistical Applications in Genetics and Molecular Biology 9(1), article 39, for p.
    """
    k = positions.shape[1]
    observed = np.bincount(positions[orders, labels], minlength=k)
    expected, permuted = np.zeros(k), np.zeros((draws, k), dtype=np.int64)
    random = np.random.default_rng(SEED)
    for rows in _groups_of_one_size(groups):
        expected += _expected(orders[rows], labels[rows], positions)
        permuted += _permuted(orders[rows], labels[rows], positions, random, draws)

    def distance(counts: Integers) -> Floats:
        return np.asarray(((counts - expected) ** 2 / np.where(expected > 0, expected, 1)).sum(axis=-1))

    is_as_large = distance(permuted) >= distance(observed) * (1 - 1e-12)
    return PositionTest(observed, expected, float((1 + is_as_large.sum()) / (1 + draws)))


def _groups_of_one_size(groups: Integers) -> list[Integers]:
    """Return, for each size of a group, the rows of all groups of that size, shape (groups, size)."""
    rows = np.argsort(groups, kind="stable")
    _, starts, sizes = np.unique(groups[rows], return_index=True, return_counts=True)
    return [rows[starts[sizes == size][:, None] + np.arange(size)] for size in np.unique(sizes)]


def _expected(orders: Integers, labels: Integers, positions: Integers) -> Floats:
    """Return the mean count of each position over all assignments of each group's answers to its orders."""
    k = positions.shape[1]
    counts = np.zeros(k, dtype=np.int64)
    for shift in range(orders.shape[1]):
        counts += np.bincount(positions[orders, np.roll(labels, shift, axis=1)].ravel(), minlength=k)
    return np.asarray(counts / orders.shape[1])


def _permuted(orders: Integers, labels: Integers, positions: Integers, random: np.random.Generator, draws: int) -> Integers:
    """Return the count of each position in each permutation, shape (draws, k); only groups with different answers need permuting."""
    k = positions.shape[1]
    is_mixed = (labels != labels[:, :1]).any(axis=1)
    constant = np.bincount(positions[orders[~is_mixed], labels[~is_mixed]].ravel(), minlength=k)
    orders, labels = orders[is_mixed], labels[is_mixed]
    chunk = max(1, AT_ONCE // max(1, labels.size))
    counts = []
    for start in range(0, draws, chunk):
        n = min(chunk, draws - start)
        shuffled = random.permuted(np.broadcast_to(labels, (n, *labels.shape)), axis=2)
        places = positions[orders, shuffled].reshape(n, -1) + k * np.arange(n)[:, None]
        counts.append(np.bincount(places.ravel(), minlength=k * n).reshape(n, k))
    return constant + np.concatenate(counts)
