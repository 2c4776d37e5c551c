from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.hard_subset.selection import Allocation, balanced_quotas, draw, hard_images, proportional_quotas

COUNTS = st.dictionaries(st.sampled_from(["amusement", "anger", "awe", "fear", "sadness"]), st.integers(0, 60), min_size=1)
N = st.integers(1, 300)
ALLOCATIONS: list[Allocation] = ["proportional", "balanced"]
HARD = st.lists(st.sampled_from(["amusement", "anger", "awe", "fear"]), max_size=60).map(
    lambda labels: pl.DataFrame(
        {"image_id": [f"i{n}" for n in range(len(labels))], "label": labels}, {"image_id": pl.String, "label": pl.String}
    )
)


def test_hard_is_below_the_threshold_and_takes_in_what_was_predicted_wrong() -> None:
    scores = pl.DataFrame(
        {"image_id": ["sure", "at", "unsure", "wrong"], "p_true": [0.9, 0.8, 0.79, 0.5], "predicted": ["x", "x", "x", "y"]}
    )
    assert hard_images(scores)["image_id"].to_list() == ["unsure", "wrong"]
    assert hard_images(scores, 0.5).is_empty()


@pytest.mark.parametrize(
    ("counts", "n", "quotas"),
    [
        ({"a": 6, "b": 3, "c": 1}, 5, {"a": 3, "b": 2, "c": 0}),  # shares 3, 1.5, 0.5: the tie goes to the larger
        ({"a": 47, "b": 16, "c": 16, "d": 12, "e": 6, "f": 3}, 10, {"a": 5, "b": 2, "c": 2, "d": 1, "e": 0, "f": 0}),
        ({"a": 2, "b": 2}, 9, {"a": 2, "b": 2}),
    ],
)
def test_proportional_by_hand(counts: dict[str, int], n: int, quotas: dict[str, int]) -> None:
    assert proportional_quotas(counts, n) == quotas


@pytest.mark.parametrize(
    ("counts", "n", "quotas"),
    [({"a": 9, "b": 9, "c": 9}, 7, {"a": 3, "b": 2, "c": 2}), ({"a": 1, "b": 9, "c": 2}, 9, {"a": 1, "b": 6, "c": 2})],
)
def test_balanced_by_hand(counts: dict[str, int], n: int, quotas: dict[str, int]) -> None:
    assert balanced_quotas(counts, n) == quotas


@given(COUNTS, N)
def test_proportional_quotas_are_within_one_of_proportional(counts: dict[str, int], n: int) -> None:
    quotas, total = proportional_quotas(counts, n), sum(counts.values())
    assert sum(quotas.values()) == min(n, total)
    for label, quota in quotas.items():
        assert 0 <= quota <= counts[label]
        assert abs(quota - Fraction(min(n, total) * counts[label], total)) < 1


@given(COUNTS, N)
def test_balanced_quotas_differ_by_one_at_most_unless_a_label_is_used_up(counts: dict[str, int], n: int) -> None:
    quotas = balanced_quotas(counts, n)
    assert sum(quotas.values()) == min(n, sum(counts.values()))
    left = [quota for label, quota in quotas.items() if quota < counts[label]]
    assert all(quota >= max(quotas.values()) - 1 for quota in left)
    assert all(quota <= counts[label] for label, quota in quotas.items())


@given(HARD, N, st.sampled_from(ALLOCATIONS), st.integers(0, 5), st.randoms())
def test_draw_is_a_subset_of_the_right_size_whatever_the_order_of_rows(
    hard: pl.DataFrame, n: int, allocation: Allocation, seed: int, random: object
) -> None:
    selection = draw(hard, n, allocation, seed)
    labels = dict(hard.iter_rows())
    assert len(set(selection.image_ids)) == len(selection.image_ids) == min(n, hard.height)
    drawn = [labels[image_id] for image_id in selection.image_ids]
    assert {label: drawn.count(label) for label in selection.n_hard_by_label} == selection.n_selected_by_label
    assert selection == draw(hard.sample(fraction=1, shuffle=True), n, allocation, seed)


def test_seeds_draw_differently() -> None:
    hard = pl.DataFrame({"image_id": [f"i{n}" for n in range(50)], "label": ["awe"] * 50})
    assert draw(hard, 10, seed=0).image_ids != draw(hard, 10, seed=1).image_ids


def test_an_image_keeps_its_place_when_others_come() -> None:
    hard = pl.DataFrame({"image_id": [f"i{n}" for n in range(50)], "label": ["awe"] * 50})
    before, after = draw(hard[:40], 10), draw(hard, 10)
    assert set(after.image_ids) & set(hard[:40]["image_id"]) <= set(before.image_ids)


def test_too_few_gives_all_and_says_so() -> None:
    hard = pl.DataFrame({"image_id": ["b", "a"], "label": ["fear", "awe"]})
    selection = draw(hard, 3)
    assert selection == (("a", "b"), 3, {"awe": 1, "fear": 1}, {"awe": 1, "fear": 1}, None)
    assert selection.is_short
    assert not draw(hard, 2).is_short
