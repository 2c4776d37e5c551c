import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from eve_pipeline.hard_subset.calibration import calibrate, reliability, sure_and_right

LABELS = ["awe", "fear", "sadness"]


def scored(labels: list[str], probabilities: list[list[float]]) -> pl.DataFrame:
    """`classifier_scores` joined to labels."""
    p = np.array(probabilities)
    pairs = [[{"label": name, "probability": share} for name, share in zip(LABELS, row, strict=True)] for row in probabilities]
    return pl.DataFrame(
        {
            "label": labels,
            "p_true": p[np.arange(len(p)), [LABELS.index(label) for label in labels]],
            "predicted": [LABELS[number] for number in p.argmax(1)],
            "p_predicted": p.max(1),
            "probabilities": pairs,
        }
    )


def test_by_hand() -> None:
    scores = scored(["awe", "fear", "fear", "awe"], [[0.7, 0.2, 0.1], [0.7, 0.3, 0.0], [0.1, 0.9, 0.0], [1.0, 0.0, 0.0]])
    bins = reliability(scores, 5)
    assert bins.select("bin", "n", "accuracy").rows() == [(3, 2, 0.5), (4, 2, 1.0)]
    assert bins["confidence"].to_list() == pytest.approx([0.7, 0.95])
    ece, brier, nll = calibrate(scores)  # 15 bins part 0.7, 0.9 and 1.0: gaps 0.2, 0.1 and 0
    assert ece == pytest.approx((2 * 0.2 + 1 * 0.1 + 1 * 0) / 4)
    assert brier == pytest.approx(((0.09 + 0.04 + 0.01) + (0.49 + 0.49) + (0.01 + 0.01) + 0) / 4)
    assert nll == pytest.approx(-(math.log(0.7) + math.log(0.3) + math.log(0.9)) / 4)


def test_a_bin_holds_its_upper_end() -> None:
    scores = scored(["awe", "awe", "awe"], [[0.6, 0.4, 0.0], [0.601, 0.399, 0.0], [1.0, 0.0, 0.0]])
    assert reliability(scores, 5)["bin"].to_list() == [2, 3, 4]


def test_impossible_truth_has_a_finite_loss() -> None:
    assert calibrate(scored(["fear"], [[1.0, 0.0, 0.0]])) == pytest.approx((1, 2, 708.396), rel=1e-5)


def test_sure_and_right() -> None:
    scores = scored(["awe", "fear", "fear"], [[0.8, 0.2, 0.0], [0.9, 0.1, 0.0], [0.3, 0.7, 0.0]])
    assert sure_and_right(scores, 0.8) == (2, 0.5)
    assert sure_and_right(scores, 0.95)[0] == 0


@given(st.integers(0, 2**32 - 1), st.integers(2, 300))
def test_agrees_with_scikit_learn(seed: int, n: int) -> None:
    random = np.random.default_rng(seed)
    p = random.dirichlet([0.7, 0.7, 0.7], n)
    scores = scored(random.choice(LABELS, n).tolist(), p.tolist())
    ece, brier, nll = calibrate(scores)
    right = (scores["predicted"] == scores["label"]).to_numpy()
    accuracy, confidence = calibration_curve(right, scores["p_predicted"], n_bins=15)
    counts = np.histogram(scores["p_predicted"], bins=np.linspace(0, 1, 16))[0]
    assert ece == pytest.approx((counts[counts > 0] / n * abs(accuracy - confidence)).sum())
    assert brier == pytest.approx(brier_score_loss(scores["label"], p, labels=LABELS, scale_by_half=False))
    assert nll == pytest.approx(log_loss(scores["label"], p, labels=LABELS))
