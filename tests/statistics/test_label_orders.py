"""Planted biases are found, absent ones are not; rows say what they can say."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from eve_pipeline.emotions.label_sets import Labels
from eve_pipeline.prompts.label_orders import label_orders
from eve_pipeline.statistics.conditional_logit import effect_intervals
from eve_pipeline.statistics.label_orders import SCHEMA, label_order_effects
from eve_pipeline.statistics.position_test import position_test
from eve_pipeline.statistics.scores import Floats

FOUR = ("amusement", "contentment", "fear", "sadness")
EIGHT = ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness")
CELL = {"model": "m", "dataset": "d", "subset": "s", "prompt": "p"}
NO_ANSWERS = pl.DataFrame(
    schema=dict.fromkeys(CELL, pl.String)
    | {"image_id": pl.String, "repeat": pl.Int64, "label_order": pl.List(pl.String), "label": pl.String}
)
NO_CHANGES = pl.DataFrame(
    schema=dict.fromkeys([*CELL, "compared_with", "label"], pl.String)
    | dict.fromkeys(["n_answers", "n_chosen", "n_chosen_before", "n_images"], pl.Int64)
)


def chosen(images: Floats, labels: Labels, position_effects: list[float], seed: int) -> Floats:
    """Labels (images, orders), by number, that a model chooses that likes image, label and position as it says; images (images, k)."""
    positions = np.array([[order.index(label) for label in labels] for order in label_orders(labels)])
    utility = images[:, None] + np.array(position_effects)[positions]
    return np.asarray((utility + np.random.default_rng(seed).gumbel(size=utility.shape)).argmax(axis=2))


def answers(said: Floats, labels: Labels) -> pl.DataFrame:
    """The rows of a family's cell."""
    listed = label_orders(labels)
    return pl.DataFrame(
        [
            {**CELL, "image_id": str(image), "repeat": 0, "label_order": list(order), "label": labels[label]}
            for image, row in enumerate(said)
            for order, label in zip(listed, row, strict=True)
        ]
    )


@pytest.mark.parametrize(("labels", "n"), [(FOUR, 60), (EIGHT, 500)])
def test_a_planted_position_bias_is_found_beside_a_label_preference(labels: Labels, n: int) -> None:
    k = len(labels)
    position_effects = np.array([0.8, *np.zeros(k - 2), -0.4])
    label_effects = np.linspace(1, -1, k)
    said = chosen(np.tile(label_effects, (n, 1)), labels, position_effects.tolist(), seed=1)
    found = label_order_effects(answers(said, labels), NO_CHANGES, draws=999)
    at, of = found.filter(kind="position"), found.filter(kind="label")
    truths = ((at, position_effects - position_effects.mean()), (of, label_effects))
    for rows, truth in truths:
        assert rows["effect"].to_numpy() == pytest.approx(truth, abs=0.25)
        assert np.mean((rows["ci_low"].to_numpy() < truth) & (truth < rows["ci_high"].to_numpy())) >= 0.75
    assert at["p_value"].to_list() == [0.001] * k
    assert at["ci_low"][0] > 0 > at["ci_high"][-1]
    assert at["share"][0] > 1.3 * at["expected_share"][0]
    assert of["share"].sum() == pytest.approx(1)


@pytest.mark.parametrize("preference", [0.0, 1.5], ids=["no preference", "a preferred label"])
@pytest.mark.parametrize("labels", [FOUR, EIGHT], ids=["24 orders", "Williams design"])
def test_without_a_position_bias_none_is_found(labels: Labels, preference: float) -> None:
    """Images differ, so that an image's answers are alike; over 60 simulated cells 5 % of tests and intervals err."""
    k, n = len(labels), 40
    positions = np.array([[order.index(label) for label in labels] for order in label_orders(labels)])
    groups, orders = np.repeat(np.arange(n), len(positions)), np.tile(np.arange(len(positions)), n)
    p_values, covers = [], []
    for seed in range(60):
        images = np.random.default_rng(1000 + seed).normal(0, 1.5, (n, k)) + preference * np.eye(k)[0]
        said = chosen(images, labels, [0.0] * k, seed)
        p_values.append(position_test(groups, orders, said.ravel(), positions, draws=199).p_value)
        _, low, high = effect_intervals(np.eye(k)[said], positions, draws=199)
        covers.append((low[1] < 0) & (high[1] > 0))
    assert np.mean(np.array(p_values) <= 0.05) <= 0.12
    assert 0.4 < np.mean(p_values) < 0.6
    assert 0.9 <= np.mean(covers) <= 0.98


def test_choosing_always_the_first_is_certain_but_has_no_finite_effect() -> None:
    positions = np.array([[order.index(label) for label in FOUR] for order in label_orders(FOUR)])
    found = label_order_effects(answers(np.tile(positions.argmin(axis=1), (10, 1)), FOUR), NO_CHANGES, draws=999)
    at = found.filter(kind="position")
    assert at.select("position", "share", "expected_share", "effect", "p_value", "reason").rows() == [
        (1, 1.0, 0.25, None, 0.001, "not identified"),
        *[(position, 0.0, 0.25, None, 0.001, "never chosen") for position in (2, 3, 4)],
    ]
    assert found.select("n_images", "n_answers").unique().rows() == [(10, 240)]


def test_one_image_has_effects_but_neither_intervals_nor_tests() -> None:
    found = label_order_effects(answers(chosen(np.zeros((1, 4)), FOUR, [0.5, 0, 0, 0], seed=3), FOUR), NO_CHANGES, draws=99)
    assert found["effect"].null_count() == 0
    assert found.select("ci_low", "ci_high", "p_value").null_count().row(0) == (8, 8, 8)
    assert set(found["reason"]) == {"fewer than 2 images"}


def test_a_cell_without_answers_says_so() -> None:
    unanswered = answers(chosen(np.zeros((3, 4)), FOUR, [0.0] * 4, seed=3), FOUR).with_columns(label=pl.lit(None, dtype=pl.String))
    found = label_order_effects(unanswered, NO_CHANGES, draws=99)
    assert found.height == 8
    assert set(found["reason"]) == {"no answers"}
    assert found.select("share", "expected_share", "effect", "p_value").null_count().row(0) == (8, 8, 8, 8)
    assert found.select("n_images", "n_answers").unique().rows() == [(0, 0)]


def test_no_cells_give_no_rows() -> None:
    found = label_order_effects(NO_ANSWERS, NO_CHANGES)
    assert found.height == 0
    assert found.schema == SCHEMA


@given(st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(random: object) -> None:
    rows = answers(chosen(np.zeros((4, 4)), FOUR, [0.5, 0, 0, 0], seed=3), FOUR).with_row_index().sample(90, seed=2)
    places = list(range(rows.height))
    random.shuffle(places)  # type: ignore[attr-defined]
    shuffled = label_order_effects(rows[places].drop("index"), NO_CHANGES, draws=20)
    assert shuffled.equals(label_order_effects(rows.drop("index"), NO_CHANGES, draws=20))


def test_repeats_are_permuted_each_by_itself_and_resampled_with_their_image() -> None:
    said = chosen(np.zeros((5, 4)), FOUR, [0.5, 0, 0, 0], seed=3)
    once = answers(said, FOUR)
    found = label_order_effects(pl.concat([once, once.with_columns(repeat=pl.lit(1, dtype=pl.Int64))]), NO_CHANGES, draws=499)
    single = label_order_effects(once, NO_CHANGES, draws=499)
    assert found.select("n_images", "n_answers").unique().rows() == [(5, 240)]
    for name in ("share", "effect", "ci_low", "ci_high"):
        assert found[name].to_list() == pytest.approx(single[name].to_list())


def test_changes_between_two_orders_by_hand() -> None:
    """Of 20 images 8 gain the label, 2 lose it, 6 keep it: shares 0.7 and 0.4, McNemar 8 against 2."""
    kinds = [(1, 0, 8), (0, 1, 2), (1, 1, 6), (0, 0, 4)]
    profiles = pl.DataFrame(
        [
            {**CELL, "compared_with": "simple", "label": "awe", "n_answers": 1, "n_chosen": now, "n_chosen_before": before, "n_images": n}
            for now, before, n in kinds
        ]
    )
    row = label_order_effects(NO_ANSWERS, profiles).row(0, named=True)
    assert (row["kind"], row["compared_with"], row["position"], row["label"]) == ("order", "simple", None, "awe")
    assert (row["n_images"], row["n_answers"], row["share"], row["expected_share"]) == (20, 20, 0.7, 0.4)
    assert row["effect"] == pytest.approx(0.3)
    assert row["p_value"] == pytest.approx(binomtest(2, 10).pvalue)
    values = np.repeat([1, -1, 0], [8, 2, 10])
    drawn = np.random.default_rng(0).choice(values, (20_000, 20)).mean(axis=1)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.051)
    assert row["reason"] is None


def test_repeated_answers_are_a_sign_test_of_images() -> None:
    """Three images gain (by two answers, one and one of two), one loses."""
    kinds = [(2, 2, 0, 1), (2, 1, 0, 2), (2, 0, 1, 1)]
    profiles = pl.DataFrame(
        [
            {**CELL, "compared_with": "simple", "label": "awe", "n_answers": m, "n_chosen": now, "n_chosen_before": before, "n_images": n}
            for m, now, before, n in kinds
        ]
    )
    row = label_order_effects(NO_ANSWERS, profiles).row(0, named=True)
    assert (row["n_images"], row["n_answers"], row["share"], row["expected_share"]) == (4, 8, 4 / 8, 1 / 8)
    assert row["p_value"] == pytest.approx(binomtest(1, 4).pvalue)


def test_a_change_of_one_image_has_no_interval() -> None:
    profile = {"compared_with": "simple", "label": "awe", "n_answers": 1, "n_chosen": 1, "n_chosen_before": 0, "n_images": 1}
    row = label_order_effects(NO_ANSWERS, pl.DataFrame([CELL | profile])).row(0, named=True)
    assert (row["effect"], row["ci_low"], row["ci_high"], row["p_value"], row["reason"]) == (1.0, None, None, None, "fewer than 2 images")
