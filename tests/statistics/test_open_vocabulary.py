"""Intervals of open answers under thresholds, worked out by hand."""

import pytest
from scipy import stats

from eve_pipeline.statistics.computing import keep_in
from eve_pipeline.statistics.open_vocabulary import open_intervals
from eve_pipeline.statistics.sheets import read_subsets
from tests.statistics.answers import answers, images, relation

N = 20


def test_a_threshold_decides_what_is_read():
    """Twenty awe images: eight say so, six say what is near to it by 0.5, four what is near to nothing, two refuse."""
    read = ["awe@1.0"] * 8 + ["awe@0.5"] * 6 + [None] * 4 + ["refusal"] * 2
    said = answers([("m", "p", f"{number:02}", label) for number, label in enumerate(read)])
    (subset,) = read_subsets(relation(said), relation(images({f"{number:02}": "awe" for number in range(N)})))
    rows = open_intervals(subset, [0.4, 0.5, 0.6], keep_in(None))
    for threshold, n in ((0.4, 14), (0.5, 14), (0.6, 8)):
        low, high = (stats.binom.ppf(q, N, n / N) / N for q in (0.025, 0.975))
        for metric in ("fine_grained_rate", "accuracy"):
            row = rows.filter(threshold=threshold, metric=metric).row(0, named=True)
            assert (row["estimate"], row["ci_low"], row["ci_high"]) == pytest.approx((n / N, low, high))
        f1 = rows.filter(threshold=threshold, metric="weighted_f1").row(0, named=True)
        assert f1["estimate"] == pytest.approx(2 * n / (N + n))
        assert (f1["ci_low"], f1["ci_high"]) == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))


def test_images_without_a_label_do_not_count():
    said = answers([("m", "p", "a", "awe@1.0"), ("m", "p", "b", "awe@1.0"), ("m", "p", "c", "awe@1.0")])
    (subset,) = read_subsets(relation(said), relation(images({"a": "awe", "b": "fear", "c": None})))
    rows = open_intervals(subset, [0.6], keep_in(None))
    assert rows.filter(metric="accuracy")["estimate"].item() == 0.5
    assert rows.filter(metric="fine_grained_rate")["estimate"].item() == 1
