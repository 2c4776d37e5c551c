"""The orders in which a family of prompts lists the labels."""

from itertools import permutations

from eve_pipeline.emotions.label_sets import Labels

MOST_PERMUTED = 4
"""Labels up to which all orders are asked; 4! = 24."""


def label_orders(labels: Labels) -> list[Labels]:
    """Return all orders of up to four labels, and the rows of a Williams design of more: k rows where k is even, 2k where it is odd.

    In both, every label stands at every position equally often, and every label directly follows every other equally often.

    Source: E. J. Williams (1949), Experimental designs balanced for the estimation of residual effects of treatments,
    Australian Journal of Scientific Research A 2(2), 149-168.
    """
    if len(labels) <= MOST_PERMUTED:
        return list(permutations(labels))
    return [tuple(labels[number] for number in row) for row in _williams_design(len(labels))]


def _williams_design(k: int) -> list[list[int]]:
    """Return rows of 0 ... k - 1: the first is 0, 1, k - 1, 2, k - 2, ...; each next adds one modulo k; for odd k all come mirrored too."""
    first = [(step + 1) // 2 if step % 2 else -step // 2 % k for step in range(k)]
    rows = [[(number + shift) % k for number in first] for shift in range(k)]
    return rows + [row[::-1] for row in rows] if k % 2 else rows
