"""Intervals of cells, worked out by hand where a cell is small."""

import polars as pl
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from eve_pipeline.statistics.computing import keep_in
from eve_pipeline.statistics.intervals import cell_intervals
from eve_pipeline.statistics.sheets import read_subsets
from tests.statistics.answers import SCHEMES, answers, images, relation

KEEP = keep_in(None)


def found(said: pl.DataFrame, known: pl.DataFrame, **which: str) -> dict[str, object]:
    (subset,) = read_subsets(relation(said), relation(known))
    return cell_intervals(subset, SCHEMES, KEEP).filter(**which).row(0, named=True)


def test_a_cell_of_one_class_is_a_binomial():
    """Twelve awe images of which nine are read rightly: F1 is 2x / (1 + x) of the share x that is right."""
    said = answers([("m", "p", f"{number:02}", "awe" if number < 9 else "fear") for number in range(12)])
    row = found(said, images({f"{number:02}": "awe" for number in range(12)}), metric="weighted_f1", dimension="emotion", scoring="strict")
    low, high = (stats.binom.ppf(q, 12, 0.75) / 12 for q in (0.025, 0.975))
    assert row["estimate"] == pytest.approx(2 * 0.75 / 1.75)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))
    assert row["bca_low"] < row["estimate"] < row["bca_high"]


def test_a_classs_recall_is_a_binomial_among_its_images():
    """Of twelve awe images nine are read rightly; fear has no image, so that it has a precision and no recall."""
    said = answers([("m", "p", f"{number:02}", "awe" if number < 9 else "fear") for number in range(12)])
    known = images({f"{number:02}": "awe" for number in range(12)})
    recall = found(said, known, metric="recall", part="awe", scoring="strict")
    assert (recall["ci_low"], recall["estimate"], recall["ci_high"]) == pytest.approx(
        (stats.binom.ppf(0.025, 12, 0.75) / 12, 0.75, stats.binom.ppf(0.975, 12, 0.75) / 12)
    )
    assert found(said, known, metric="precision", part="fear", scoring="strict")["estimate"] == 0
    (subset,) = read_subsets(relation(said), relation(known))
    assert cell_intervals(subset, SCHEMES, KEEP).filter(metric="recall", part="fear").is_empty()


def test_error_categories_share_the_wrong_answers():
    """Of nine wrong answers about fear images four are positive (I), two low (II) and three no side of their own."""
    read = ["awe"] * 4 + ["sadness"] * 2 + ["neutral"] * 3 + ["fear"] * 3
    said = answers([("m", "p", f"{number:02}", label) for number, label in enumerate(read)])
    known = images({f"{number:02}": "fear" for number in range(12)})
    shares = {part: found(said, known, metric="error_share", part=part)["estimate"] for part in ("I", "II", "III", "undetermined")}
    assert shares == pytest.approx({"I": 4 / 9, "II": 2 / 9, "III": 0, "undetermined": 3 / 9})
    row = found(said, known, metric="error_share", part="I")
    assert 0 < row["ci_low"] < 4 / 9 < row["ci_high"] < 1


def test_failures_are_in_neither_scoring_and_refusals_in_one():
    said = answers([("m", "p", "a", "awe"), ("m", "p", "b", "awe"), ("m", "p", "c", "refusal"), ("m", "p", "d", "error")])
    known = images(dict.fromkeys("abcd", "awe"))
    assert found(said, known, metric="weighted_f1", dimension="emotion", scoring="strict")["estimate"] == pytest.approx(2 * 2 / (3 + 2))
    answered = found(said, known, metric="weighted_f1", dimension="emotion", scoring="answered")
    assert (answered["estimate"], answered["ci_low"], answered["ci_high"]) == (1, 1, 1)


def test_one_scored_image_has_a_score_and_no_interval():
    said = answers([("m", "p", "a", "awe"), ("m", "p", "b", "error")])
    row = found(said, images(dict.fromkeys("ab", "awe")), metric="weighted_f1", dimension="emotion", scoring="strict")
    assert [row[name] for name in ("estimate", "ci_low", "ci_high", "bca_low", "bca_high")] == [1, None, None, None, None]


def test_nothing_to_score_is_null():
    row = found(answers([("m", "p", "a", "error")]), images({"a": None}), metric="sentiment_bias")
    assert [row[name] for name in ("estimate", "ci_low", "ci_high")] == [None, None, None]


def test_sentiment_bias_looks_labels_up_in_any_case_and_ratings_where_there_is_no_label():
    """joy (positive) and two images without label, of which one is rated negative: it is read as positive, and is all the bias."""
    said = answers([("m", "p", "a", "joy"), ("m", "p", "rated", "awe"), ("m", "p", "unrated", "fear"), ("m", "p", "n", "neutral")])
    known = images({"a": "joy", "rated": None, "unrated": None, "n": "sadness"}, rated="negative", a="negative")
    row = found(said, known, metric="sentiment_bias", scheme="s")
    assert row["estimate"] == pytest.approx(0.5)
    assert (row["ci_low"], row["ci_high"]) == (0, 1)


def test_the_bias_is_tested_where_an_image_has_one_answer():
    """Five of six negative images are read too brightly, one of two positive ones too darkly: McNemar of 5 and 1."""
    known = images({f"{number}": "fear" if number < 6 else "joy" for number in range(8)})
    read = [("m", "p", f"{number}", label) for number, label in enumerate(["awe"] * 5 + ["fear", "sadness", "awe"])]
    once, twice, of_one, of_none = (
        found(answers(rows), known, metric="sentiment_bias") for rows in (read, [*read, read[0]], read[:1], [("m", "p", "0", "refusal")])
    )
    assert once["estimate"] == pytest.approx((5 - 1) / 8)
    assert once["p_value"] == pytest.approx(mcnemar([[0, 5], [1, 0]], exact=True).pvalue)
    assert [row["p_value"] for row in (twice, of_one, of_none)] == [None, None, None]
    assert found(answers(read), known, metric="weighted_f1")["p_value"] is None


def test_kept_results_are_those_computed(tmp_path):
    said = answers([("m", "p", f"{number}", "awe" if number % 3 else "fear") for number in range(30)])
    (subset,) = read_subsets(relation(said), relation(images({f"{number}": "awe" for number in range(30)})))
    computed, first, again = (cell_intervals(subset, SCHEMES, keep) for keep in (KEEP, keep_in(str(tmp_path)), keep_in(str(tmp_path))))
    assert computed.equals(first)
    assert computed.equals(again)
    assert len(list(tmp_path.rglob("output.pkl"))) == 1
