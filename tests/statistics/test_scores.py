"""Scores of sums equal scikit-learn's of the answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, precision_recall_fscore_support

from eve_pipeline.statistics.scores import (
    Score,
    accuracy,
    averages,
    by_class,
    calibration,
    macro_f1,
    means,
    sentiment_bias,
    shares,
    weighted_f1,
)

CLASSES = ("anger", "awe", "fear")
ANSWERS = st.lists(st.tuples(st.sampled_from(CLASSES), st.sampled_from([*CLASSES, "__none__"])), min_size=1, max_size=40)


def sums(answers: list[tuple[str, str]]) -> np.ndarray:
    truth, said = np.array(answers).T
    counts = [(truth == one, said == one, (truth == one) & (said == one)) for one in CLASSES]
    return np.array(counts, dtype=float).sum(axis=2).T.ravel()


@given(ANSWERS)
def test_f1_and_accuracy_equal_scikit_learn(answers):
    truth, said = zip(*answers, strict=True)
    labels = sorted(set(truth))
    for function, average in ((weighted_f1, "weighted"), (macro_f1, "macro")):
        assert function(sums(answers)) == pytest.approx(f1_score(truth, said, labels=labels, average=average, zero_division=0), abs=1e-12)
    assert accuracy(sums(answers)) == pytest.approx(accuracy_score(truth, said))


def test_many_sets_are_scored_at_once():
    sets = np.array([sums([("awe", "awe")]), sums([("awe", "fear")]), sums([("awe", "awe"), ("fear", "awe")])])
    assert weighted_f1(sets) == pytest.approx([1, 0, 1 / 3])


def test_nothing_has_no_score():
    nothing = np.zeros(9)
    assert np.isnan([weighted_f1(nothing), macro_f1(nothing), accuracy(nothing), sentiment_bias(np.zeros(3))]).all()


def test_sentiment_bias_by_hand():
    """Of ten, three negative images are read as positive and one positive as negative."""
    assert sentiment_bias(np.array([3.0, 1.0, 10.0])) == pytest.approx(0.2)


def test_a_score_counts_its_kinds():
    """Two images read rightly as awe, one awe image read as fear: F1 of awe is 2 * 2 / (3 + 2)."""
    weights = np.array([sums([("awe", "awe")]), sums([("awe", "fear")])])
    assert Score(weighted_f1, weights).of(np.array([2, 1])) == pytest.approx(0.8)


@given(ANSWERS)
def test_averages_are_the_three_scores(answers):
    one = sums(answers)
    assert averages(one).tolist() == [weighted_f1(one), macro_f1(one), accuracy(one)]


@given(ANSWERS)
def test_classes_equal_scikit_learn_and_are_undefined_by_themselves(answers):
    truth, said = zip(*answers, strict=True)
    precision, recall, f1, _ = precision_recall_fscore_support(truth, said, labels=CLASSES, zero_division=np.nan)
    either = np.array([one in truth or one in said for one in CLASSES])
    assert by_class(sums(answers)) == pytest.approx([*np.where(either, f1, np.nan), *precision, *recall], nan_ok=True)


@given(st.lists(st.tuples(st.sampled_from([0.05, 0.15, 0.55]), st.booleans()), min_size=1, max_size=30))
def test_calibration_by_numpy_and_scikit_learn(answers):
    confidence, right = np.array(answers).T
    bins = [np.isclose(confidence, one) for one in (0.05, 0.15, 0.55)]
    found = calibration(
        np.array([[of.sum(), confidence[of].sum(), right[of].sum(), ((confidence - right)[of] ** 2).sum()] for of in bins]).T.ravel()
    )
    gaps = [abs(confidence[of].mean() - right[of].mean()) * of.mean() for of in bins if of.any()]
    rates = [right.mean(), *(right[of].mean() if of.any() else np.nan for of in bins), brier_score_loss(right, confidence, pos_label=1)]
    assert found[:6] == pytest.approx([sum(gaps), *rates], nan_ok=True)


def test_shares_and_means_of_nothing_are_not_defined():
    assert shares(np.array([1.0, 3.0])).tolist() == [0.25, 0.75]
    assert means(np.array([3.0, 1.0, 4.0])).tolist() == [0.75, 0.25]
    assert np.isnan([*shares(np.zeros(2)), *means(np.zeros(2))]).all()
