from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.prompts.label_orders import label_orders

LABELS = st.lists(st.text(max_size=3), min_size=2, max_size=12, unique=True).map(tuple)


@pytest.mark.parametrize(("k", "n"), [(1, 1), (2, 2), (3, 6), (4, 24), (5, 10), (6, 6), (7, 14), (8, 8), (9, 18)])
def test_number_of_orders(k: int, n: int) -> None:
    orders = label_orders(tuple("abcdefghi"[:k]))
    assert len(orders) == len(set(orders)) == n


def test_the_design_of_six_is_the_published_one() -> None:
    """The first row of Williams' construction is 1, 2, 6, 3, 5, 4; each next adds one."""
    assert ["".join(order) for order in label_orders(tuple("123456"))] == ["126354", "231465", "342516", "453621", "564132", "615243"]


@given(LABELS)
def test_every_order_holds_every_label_once(labels: tuple[str, ...]) -> None:
    assert all(sorted(order) == sorted(labels) for order in label_orders(labels))


@given(LABELS)
def test_every_label_is_at_every_position_equally_often(labels: tuple[str, ...]) -> None:
    counts = Counter(place for order in label_orders(labels) for place in enumerate(order))
    assert len(counts) == len(labels) ** 2
    assert len(set(counts.values())) == 1


@given(LABELS)
def test_every_label_follows_every_other_equally_often(labels: tuple[str, ...]) -> None:
    counts = Counter(pair for order in label_orders(labels) for pair in pairwise(order))
    assert len(counts) == len(labels) * (len(labels) - 1)
    assert len(set(counts.values())) == 1
