"""The conditional logit against statsmodels, by hand, and where it has no estimate."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog
from statsmodels.discrete.conditional_models import ConditionalLogit

from eve_pipeline.prompts.label_orders import label_orders
from eve_pipeline.statistics.conditional_logit import Integers, effect_intervals, fit_effects
from eve_pipeline.statistics.scores import Floats

LABEL_EFFECTS = {3: [0.5, -0.1, -0.4], 4: [0.9, 0.1, -0.3, -0.7], 8: [1, 0.5, 0.2, 0, -0.2, -0.3, -0.4, -0.8]}
POSITION_EFFECTS = {3: [0.4, 0.0, -0.4], 4: [0.6, -0.1, -0.3, -0.2], 8: [0.8, 0.1, 0, -0.1, -0.1, -0.2, -0.3, -0.2]}


def positions_of(k: int) -> Integers:
    """Where each of k labels stands in each order in which a family of prompts lists them."""
    names = tuple(map(str, range(k)))
    return np.array([[order.index(name) for name in names] for order in label_orders(names)])


def sampled(k: int, n: int, seed: int = 0) -> tuple[Floats, Integers]:
    """Counts (orders, k) of n answers in each order that follow the model, and the positions."""
    positions = positions_of(k)
    odds = np.exp(np.array(LABEL_EFFECTS[k]) + np.array(POSITION_EFFECTS[k])[positions])
    return np.random.default_rng(seed).multinomial(n, odds / odds.sum(axis=1, keepdims=True)).astype(float), positions


def covariates(positions: Integers) -> Floats:
    """Sum-to-zero columns of labels and positions, shape (orders, k, 2k - 2)."""
    k = positions.shape[1]
    coding = np.vstack([np.eye(k - 1), -np.ones(k - 1)])
    return np.concatenate([np.broadcast_to(coding, (*positions.shape, k - 1)), coding[positions]], axis=2)


def completed(coefficients: Floats) -> Floats:
    """All effects (2, k), given all but the last of either kind."""
    free = coefficients.reshape(2, -1)
    return np.hstack([free, -free.sum(axis=1, keepdims=True)])


@pytest.mark.parametrize("k", [3, 4, 8])
def test_effects_are_those_of_a_poisson_regression_with_order_effects(k: int) -> None:
    counts, positions = sampled(k, 40)
    orders = np.repeat(np.eye(len(positions)), k, axis=0)
    columns = np.hstack([covariates(positions).reshape(counts.size, -1), orders])
    fitted = sm.GLM(counts.ravel(), columns, family=sm.families.Poisson()).fit(tol=1e-12)
    assert fit_effects(counts[None], positions)[0] == pytest.approx(completed(fitted.params[: 2 * k - 2]), abs=1e-7)


@pytest.mark.parametrize("k", [3, 4])
def test_effects_are_those_of_statsmodels_conditional_logit_of_the_single_choices(k: int) -> None:
    counts, positions = sampled(k, 15)
    choices = [(order, label) for order, label in np.argwhere(counts > 0) for _ in range(int(counts[order, label]))]
    chosen = np.concatenate([np.eye(k)[label] for _, label in choices])
    columns = np.concatenate([covariates(positions)[order] for order, _ in choices])
    fitted = ConditionalLogit(chosen, columns, groups=np.repeat(np.arange(len(choices)), k)).fit(method="newton", disp=False)
    assert fit_effects(counts[None], positions)[0] == pytest.approx(completed(fitted.params), abs=1e-5)


def test_two_labels_by_hand() -> None:
    """Of 4 answers in the order ab 3 are a, of 4 in the order ba 2: log-odds of a are a1 - a2 +- (p1 - p2) = ln 3 and 0."""
    counts, positions = np.array([[3.0, 1.0], [2.0, 2.0]]), np.array([[0, 1], [1, 0]])
    quarter = math.log(3) / 4
    assert fit_effects(counts[None], positions)[0] == pytest.approx(np.array([[quarter, -quarter], [quarter, -quarter]]))


def test_samples_are_fitted_each_by_itself() -> None:
    together, positions = np.stack([sampled(4, 30, seed)[0] for seed in range(5)]), positions_of(4)
    assert fit_effects(together, positions) == pytest.approx(np.stack([fit_effects(one[None], positions)[0] for one in together]))


def test_a_label_never_chosen_has_no_effect_and_does_not_disturb_the_others() -> None:
    """The others' effects are those of the model without it, as in the limit of ever smaller odds."""
    counts, positions = sampled(4, 40)
    counts[:, 3] = 0
    effects = fit_effects(counts[None], positions)[0]
    columns = np.delete(covariates(positions)[:, :3], [0, 1, 2], axis=2)
    labels = np.broadcast_to(np.vstack([np.eye(2), [-1, -1]]), (24, 3, 2))
    columns = np.concatenate([labels, columns], axis=2).reshape(72, -1)
    fitted = sm.GLM(counts[:, :3].ravel(), np.hstack([columns, np.repeat(np.eye(24), 3, axis=0)]), family=sm.families.Poisson()).fit()
    assert effects[0, :2] == pytest.approx(fitted.params[:2], abs=1e-6)
    assert effects[1, :3] == pytest.approx(fitted.params[2:5], abs=1e-6)
    assert np.isnan(effects[0, 3])
    assert effects.sum(axis=1)[1] == pytest.approx(0)


@pytest.mark.parametrize("k", [4, 8])
@pytest.mark.parametrize("rule", ["always the first", "always one label", "one label where it is first, else another", "nothing"])
def test_what_no_finite_effects_explain_has_none(k: int, rule: str) -> None:
    positions = positions_of(k)
    counts = {
        "always the first": 10.0 * (positions == 0),
        "always one label": 10.0 * np.eye(k)[np.zeros(len(positions), dtype=int)],
        "one label where it is first, else another": 10.0 * np.eye(k)[np.where(positions[:, 0] == 0, 0, 1)],
        "nothing": np.zeros(positions.shape),
    }[rule]
    assert np.isnan(fit_effects(counts[None], positions)).all()
    estimate, low, high = effect_intervals(np.stack([counts] * 5), positions, draws=50)
    assert np.isnan([estimate, low, high]).all()


def is_separated(counts: Floats, positions: Integers) -> bool:
    """Whether there is nothing to compare, or some direction of the effects raises odds of what was chosen and lowers none."""
    k = positions.shape[1]
    columns = np.concatenate([np.broadcast_to(np.eye(k), (*positions.shape, k)), np.eye(k)[positions]], axis=2)
    is_chosen = np.hstack([counts.sum(axis=0), [counts[positions == place].sum() for place in range(k)]]) > 0
    possible = (columns @ ~is_chosen) == 0
    better = [
        columns[o, j] - columns[o, other] for o, j in np.argwhere(counts > 0) for other in range(k) if possible[o, other] and other != j
    ]
    return not better or bool(-linprog(-np.sum(better, axis=0), -np.array(better), np.zeros(len(better)), bounds=(-1, 1)).fun > 1e-7)


def test_effects_are_missing_exactly_where_the_choices_are_separated() -> None:
    """Source: A. Albert and J. A. Anderson (1984), On the existence of maximum likelihood estimates in logistic regression models."""
    positions = positions_of(4)
    images = np.stack([1.0 * (positions == 0)] * 5 + [np.eye(4)[[label] * 24] for label in (0, 0, 1)])
    counts = np.random.default_rng(0).multinomial(8, [1 / 8] * 8, size=80) @ images.reshape(8, -1)
    samples = counts.reshape(80, 24, 4)
    is_missing = np.isnan(fit_effects(samples, positions)).all(axis=(1, 2))
    assert is_missing.tolist() == [is_separated(sample, positions) for sample in samples]
    assert 0.1 < is_missing.mean() < 0.9


@given(st.data())
def test_renaming_labels_renames_their_effects_and_reversing_lists_reverses_positions(data: st.DataObject) -> None:
    counts = np.array(data.draw(st.lists(st.lists(st.integers(1, 9), min_size=4, max_size=4), min_size=24, max_size=24)), dtype=float)
    names, rows = data.draw(st.permutations(range(4))), data.draw(st.permutations(range(24)))
    positions = positions_of(4)
    effects = fit_effects(counts[None], positions)[0]
    assert effects.sum(axis=1) == pytest.approx(0, abs=1e-9)
    assert fit_effects(counts[None][:, :, names], positions[:, names])[0] == pytest.approx(np.stack([effects[0, names], effects[1]]))
    assert fit_effects(counts[None][:, rows], positions[rows])[0] == pytest.approx(effects)
    assert fit_effects(counts[None], 3 - positions)[0] == pytest.approx(np.stack([effects[0], effects[1, ::-1]]))


def test_intervals_of_one_kind_of_image_have_no_width_and_one_image_has_none() -> None:
    counts, positions = sampled(4, 30)
    estimate, low, high = effect_intervals(np.stack([counts] * 3), positions, draws=50)
    assert estimate == pytest.approx(fit_effects(counts[None], positions)[0])
    assert low == pytest.approx(estimate)
    assert high == pytest.approx(estimate)
    estimate, low, high = effect_intervals(counts[None], positions, draws=50)
    assert np.isfinite(estimate).all()
    assert np.isnan([low, high]).all()


def test_intervals_are_unbounded_where_many_resamples_have_no_estimate() -> None:
    """One image of four alone chose label 3; it is in no resample with probability (3 / 4)^4. Positions keep their intervals."""
    rare, positions = sampled(4, 30)
    common = rare.copy()
    common[:, 3] = 0
    estimate, low, high = effect_intervals(np.stack([rare, common, common, common]), positions, draws=400)
    assert np.isfinite(estimate).all()
    assert np.isnan([low[0], high[0]]).all()
    assert np.isfinite([low[1], high[1]]).all()
