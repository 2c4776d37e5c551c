"""Intervals and swap tests, compared with scipy's on the images themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score

from eve_pipeline.statistics.bootstrap import bca_interval, intervals, percentile_interval, resample, swap_p_value
from eve_pipeline.statistics.scores import Score, accuracy, averages, by_class, weighted_f1

N_CLASSES = 3


def kinds(truth: np.ndarray, said: np.ndarray) -> np.ndarray:
    """The weights of images with one answer each: support, predicted and correct, once a class."""
    of, given_ = np.eye(N_CLASSES)[truth.astype(int)], np.eye(N_CLASSES)[said.astype(int)]
    return np.concatenate([of, given_, of * given_], axis=-1)


@pytest.fixture(scope="module")
def answers() -> tuple[np.ndarray, np.ndarray]:
    """The truth of 60 images and one answer to each, right in two thirds of the cases."""
    random = np.random.default_rng(3)
    truth = random.choice(N_CLASSES, 60, p=[0.6, 0.3, 0.1])
    return truth, np.where(random.random(60) < 0.66, truth, random.integers(0, N_CLASSES, 60))


@pytest.fixture(scope="module")
def counted(answers: tuple[np.ndarray, np.ndarray]) -> tuple[Score, np.ndarray]:
    cells, counts = np.unique(np.column_stack(answers), axis=0, return_counts=True)
    return Score(weighted_f1, kinds(*cells.T)), counts


def f1(truth: np.ndarray, said: np.ndarray) -> float:
    return float(f1_score(truth, said, labels=np.unique(truth), average="weighted", zero_division=0))


def test_resampled_sets_are_as_large_as_the_set():
    sums = resample(np.array([3, 4]), np.array([[1.0, 0.0], [0.0, 1.0]]), draws=500)
    assert sums.shape == (500, 2)
    assert (sums.sum(axis=1) == 7).all()


def test_resampling_is_repeatable_and_has_the_multinomials_moments():
    counts = np.array([30, 60, 10])
    sums = resample(counts, np.eye(3), draws=20_000)
    assert (sums == resample(counts, np.eye(3), draws=20_000)).all()
    share = counts / 100
    assert sums.mean(axis=0) == pytest.approx(counts, abs=0.2)
    assert np.cov(sums.T) == pytest.approx(100 * (np.diag(share) - np.outer(share, share)), abs=1)


def test_sets_of_many_images_have_the_moments_of_poisson_counts():
    counts = np.array([2_000, 1, 30] * 15)
    sums = resample(counts, np.eye(45), draws=20_000)
    assert (sums == resample(counts, np.eye(45), draws=20_000)).all()
    assert (sums[:, 0] != sums[:, 3]).any()
    assert (sums.mean(axis=0) / counts) == pytest.approx(np.ones(45), abs=0.04)
    assert sums.var(axis=0) == pytest.approx(counts, rel=0.06)
    correlations = np.corrcoef(sums.T) - np.eye(45)
    assert np.abs(correlations).max() < 0.035
    found, expected = (
        np.bincount(np.minimum(sums[:, 1].astype(int), 5)),
        np.append(stats.poisson.pmf(np.arange(5), 1), stats.poisson.sf(4, 1)),
    )
    assert stats.chisquare(found, 20_000 * expected).pvalue > 0.001


def test_many_images_have_the_intervals_of_binomial_counts():
    score, counts = Score(accuracy, np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]])), np.array([1_200, 800])
    found = percentile_interval(score.function(resample(counts, score.weights, draws=40_000)))
    assert found.low == pytest.approx(stats.binom.ppf(0.025, 2_000, 0.6) / 2_000, abs=0.0005)
    assert found.high == pytest.approx(stats.binom.ppf(0.975, 2_000, 0.6) / 2_000, abs=0.0005)


def test_sets_of_many_kinds_are_as_large_as_the_set():
    """As with answer profiles, of which most images have one of their own."""
    assert (resample(np.full(1_500, 2), np.ones((1_500, 1)), draws=50) == 3_000).all()


def test_a_kind_without_images_is_never_drawn():
    for n in (5, 5_000):
        assert (resample(np.array([n, 0]), np.eye(2), draws=100)[:, 1] == 0).all()


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_intervals_agree_with_scipys_on_the_images(answers, counted, method):
    score, counts = counted
    drawn = score.function(resample(counts, score.weights, draws=40_000))
    ours = percentile_interval(drawn) if method == "percentile" else bca_interval(score, counts, drawn)

    def statistic(truth: np.ndarray, said: np.ndarray, axis: int) -> np.ndarray:
        return weighted_f1(kinds(truth, said).sum(axis=-2))

    theirs = stats.bootstrap(
        answers, statistic, paired=True, vectorized=True, n_resamples=40_000, batch=1000, method=method, rng=np.random.default_rng(1)
    ).confidence_interval
    assert score.of(counts) == pytest.approx(f1(*answers))
    assert ours == pytest.approx(theirs, abs=0.005)


def test_images_with_several_answers_are_drawn_as_wholes():
    """Ten images, each answered five times alike: five times the answers say no more than one."""
    once = Score(accuracy, np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]))
    five_times = Score(accuracy, 5 * once.weights)
    counts = np.array([6, 4])
    narrow, wide = (percentile_interval(score.function(resample(counts, score.weights))) for score in (once, five_times))
    assert narrow == wide
    assert narrow.low == pytest.approx(stats.binom.ppf(0.025, 10, 0.6) / 10)
    assert narrow.high == pytest.approx(stats.binom.ppf(0.975, 10, 0.6) / 10)


def test_fewer_than_two_images_have_no_interval(counted):
    score, counts = counted
    one = np.zeros_like(counts)
    one[0] = 1
    assert np.isnan(intervals(score, one, np.array([0.5, 0.6]))).all()


def test_a_score_that_never_varies_has_a_percentile_interval_alone():
    """All images are right: no draw is on either side, so that the bias cannot be estimated; scipy's BCa is NaN too."""
    score, counts = Score(accuracy, np.ones((1, 3)), with_bca=True), np.array([20])
    percentile, bca = intervals(score, counts, score.function(resample(counts, score.weights, draws=100)))
    assert percentile == (1, 1)
    assert bca == (1, 1) or np.isnan(bca).all()


def test_ties_are_ties_in_whichever_order_a_library_adds_up():
    """Of few images many draws equal the score; numpy adds eight or more classes in an order that depends on where the sums lie."""
    random = np.random.default_rng(5)
    truth, said = np.repeat(np.arange(8), 3), random.integers(0, 8, 24)
    said = np.where(random.random(24) < 0.5, truth, said)
    cells, counts = np.unique(np.column_stack([truth, said]), axis=0, return_counts=True)
    of, given_ = np.eye(8)[cells[:, 0]], np.eye(8)[cells[:, 1]]
    score = Score(weighted_f1, np.hstack([of, given_, of * given_]))
    sums = resample(counts, score.weights, draws=2_000)
    by_row, by_column = score.function(np.ascontiguousarray(sums)), score.function(np.asfortranarray(sums))
    assert (by_row != by_column).any()
    assert bca_interval(score, counts, by_row) == pytest.approx(bca_interval(score, counts, by_column), abs=1e-12)


def test_several_scores_at_once_have_the_intervals_of_each(counted):
    score, counts = counted
    drawn = resample(counts, score.weights, draws=2_000)
    together = intervals(Score(averages, score.weights, with_bca=True), counts, averages(drawn))
    for place, one in ((0, weighted_f1), (2, accuracy)):
        alone = intervals(Score(one, score.weights, with_bca=True), counts, one(drawn))
        assert np.array(together)[:, :, place] == pytest.approx(np.array(alone), abs=1e-12)


def test_a_class_in_one_image_has_no_interval(counted):
    """Drawn or not, its recall is what that image's is; the others keep theirs."""
    score, counts = counted
    alone = counts.copy()
    of_last = score.weights[:, N_CLASSES - 1] > 0
    alone[of_last] = 0
    alone[np.flatnonzero(of_last)[0]] = 1
    recalls = np.array(
        intervals(Score(by_class, score.weights, with_bca=True), alone, by_class(resample(alone, score.weights, draws=500)))
    )[:, :, -3:]
    assert np.isnan(recalls).all(axis=(0, 1)).tolist() == [False, False, True]


def test_the_bca_interval_is_computed_where_it_is_asked_for(counted):
    score, counts = counted
    drawn = score.function(resample(counts, score.weights, draws=500))
    percentile, bca = intervals(score, counts, drawn)
    asked_for = intervals(score._replace(with_bca=True), counts, drawn)
    assert (percentile, bca_interval(score, counts, drawn)) == asked_for
    assert np.isnan(bca).all()


def test_undefined_draws_are_left_out():
    assert percentile_interval(np.array([np.nan, 0.2, 0.2, np.nan])) == pytest.approx((0.2, 0.2))
    assert np.isnan(percentile_interval(np.array([np.nan]))).all()


def test_the_swap_test_agrees_with_all_swaps_counted_out():
    """Six images, one side right where the other is not in 5 of 6: all 64 swaps can be written down."""
    first = np.array([1, 1, 1, 1, 1, 0])
    right = [Score(accuracy, np.column_stack([np.ones(6), side, side]).astype(float)) for side in (first, 1 - first)]
    flips = (np.arange(64)[:, None] >> np.arange(6)) & 1
    differences = np.abs(np.where(flips, 1 - first, first).sum(axis=1) * 2 - 6)
    exact = np.mean(differences >= abs(first.sum() * 2 - 6))
    assert exact == pytest.approx(14 / 64)
    assert swap_p_value(*right, np.ones(6, dtype=int), draws=40_000) == pytest.approx(exact, abs=0.01)


def test_the_swap_test_agrees_with_scipys_permutation_test(answers):
    truth, said = answers
    other = np.where(np.arange(60) % 4 == 0, truth, said)
    cells, counts = np.unique(np.column_stack([truth, said, other]), axis=0, return_counts=True)
    sides = [Score(weighted_f1, kinds(cells[:, 0], cells[:, column])) for column in (1, 2)]

    def delta(one: np.ndarray, two: np.ndarray, axis: int) -> np.ndarray:
        return weighted_f1(kinds(np.broadcast_to(truth, one.shape), one).sum(axis=-2)) - weighted_f1(
            kinds(np.broadcast_to(truth, two.shape), two).sum(axis=-2)
        )

    theirs = stats.permutation_test(
        (said, other), delta, permutation_type="samples", n_resamples=20_000, batch=1000, vectorized=True, rng=np.random.default_rng(2)
    )
    p = swap_p_value(*sides, counts, draws=20_000)
    assert p == pytest.approx(theirs.pvalue, rel=0.2, abs=0.005)


def test_equal_sides_have_a_p_value_of_one(counted):
    score, counts = counted
    assert swap_p_value(score, score, counts, draws=50) == 1


@given(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.integers(0, 5))
def test_the_swap_test_does_not_depend_on_which_side_is_first(counts, seed):
    random = np.random.default_rng(seed)
    truth, one, two = random.integers(0, N_CLASSES, (3, len(counts)))
    sides = [Score(weighted_f1, kinds(truth, said)) for said in (one, two)]
    p = swap_p_value(sides[0], sides[1], np.array(counts), draws=200)
    assert 1 / 201 <= p <= 1
    assert p == swap_p_value(sides[1], sides[0], np.array(counts), draws=200)
