"""Scores of sums equal scikit-learn's of the answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from eve_pipeline.statistics.scores import Score, accuracy, macro_f1, sentiment_bias, weighted_f1

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
