"""The permutation test of positions, by hand and by full enumeration."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.statistics.position_test import position_test

TWO_ORDERS = np.array([[0, 1], [1, 0]])


def test_counts_and_their_expectation_by_hand() -> None:
    """Image 0 says a in both orders, image 1 the first of the list in both; image 2 was answered in order ab alone, by b."""
    test = position_test(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 0]), np.array([0, 0, 0, 1, 1]), TWO_ORDERS, draws=100)
    assert test.counts.tolist() == [3, 2]
    assert test.expected.tolist() == [1 + 1, 1 + 1 + 1]


def test_p_value_is_that_of_all_permutations() -> None:
    """Ten images answer the first of two labels in both orders: only two of the 2^10 equally likely assignments are so extreme."""
    groups, orders = np.repeat(np.arange(10), 2), np.tile([0, 1], 10)
    p = position_test(groups, orders, orders, TWO_ORDERS, draws=20_000).p_value
    assert p == pytest.approx(2 / 1024, abs=0.001)


def test_p_value_of_groups_of_several_sizes_is_that_of_all_permutations() -> None:
    positions = np.array([[order.index(label) for label in range(3)] for order in permutations(range(3))])
    groups, orders = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 4, 2, 3, 5])
    labels = np.array([0, 0, 2, 1, 0, 1])
    every = [[*first, *second, 1] for first, second in product(permutations([0, 0, 2]), permutations([1, 0]))]
    counts = np.array([np.bincount(positions[orders, said], minlength=3) for said in every])
    expected = counts.mean(axis=0)
    distances = ((counts - expected) ** 2 / expected).sum(axis=1)
    observed = (np.bincount(positions[orders, labels], minlength=3) - expected) ** 2 / expected
    test = position_test(groups, orders, labels, positions, draws=20_000)
    assert test.expected == pytest.approx(expected)
    assert test.p_value == pytest.approx(np.mean(distances >= observed.sum() - 1e-9), abs=0.015)


def test_images_that_always_say_the_same_tell_nothing() -> None:
    groups, orders = np.repeat(np.arange(10), 2), np.tile([0, 1], 10)
    assert position_test(groups, orders, groups % 2, TWO_ORDERS, draws=99).p_value == 1


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=40))
def test_expected_and_observed_are_of_all_answers(answers: list[tuple[int, int, int]]) -> None:
    positions = np.array([[order.index(label) for label in range(3)] for order in permutations(range(3))])
    groups, orders, labels = np.array(answers).T
    test = position_test(groups, orders, labels, positions, draws=20)
    assert test.counts.sum() == len(answers)
    assert test.expected.sum() == pytest.approx(len(answers))
    assert 1 / 21 <= test.p_value <= 1
    renamed = position_test(groups + 7, orders, (labels + 1) % 3, np.roll(positions, 1, axis=1), draws=20)
    assert renamed.counts.tolist() == test.counts.tolist()
    assert renamed.expected == pytest.approx(test.expected)
