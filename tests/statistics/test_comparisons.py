"""Models, prompts and personas compared on the same images."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from eve_pipeline.statistics.comparisons import comparisons
from eve_pipeline.statistics.computing import keep_in
from eve_pipeline.statistics.sheets import read_subsets
from tests.statistics.answers import SCHEMES, answers, images, relation

KEEP = keep_in(None)
LABELS = np.array(["awe", "fear", "sadness"])
PERSONAS = {"cheerful": "positive"}


def compared(said: pl.DataFrame, known: pl.DataFrame, draws: int = 500) -> pl.DataFrame:
    (subset,) = read_subsets(relation(said), relation(known))
    return comparisons(subset, SCHEMES, PERSONAS, KEEP, draws)


@pytest.fixture(scope="module")
def truth() -> dict[str, str]:
    return {f"{number:03}": str(label) for number, label in enumerate(np.random.default_rng(0).choice(LABELS, 90))}


@pytest.fixture(scope="module")
def said(truth: dict[str, str]) -> pl.DataFrame:
    """Three models of falling skill under three prompts; some images were refused or not answered on one side."""
    random = np.random.default_rng(1)
    rows = []
    for model, skill in (("one", 0.9), ("two", 0.6), ("three", 0.3)):
        for prompt in ("simple", "cheerful", "other"):
            for name, label in truth.items():
                guess = label if random.random() < skill else str(random.choice(LABELS))
                rows.append((model, prompt, name, "refusal" if random.random() < 0.1 else "error" if random.random() < 0.05 else guess))
    return answers(rows)


@pytest.fixture(scope="module")
def rows(said: pl.DataFrame, truth: dict[str, str]) -> pl.DataFrame:
    return compared(said, images(truth))


def both(said: pl.DataFrame, one: tuple[str, str], other: tuple[str, str], scoring: str) -> pl.DataFrame:
    """The answers of two cells about the images that both have scored."""
    scored = said.filter(pl.col("status") != "error" if scoring == "strict" else pl.col("status") == "ok")
    sides = (scored.filter(model=model, prompt=prompt).select("image_id", pl.col("label").fill_null("-")) for model, prompt in (one, other))
    first, second = sides
    return first.join(second, on="image_id", suffix="_other").sort("image_id")


def test_every_pair_is_compared_once(rows):
    kinds = rows.group_by("kind").len().sort("kind")
    assert kinds.rows() == [("model", 3 * 3 * 2), ("persona", 3), ("prompt", 3 * 2 * 2)]
    assert (rows.filter(kind="model")["model"] < rows.filter(kind="model")["other_model"]).all()


@pytest.mark.parametrize("scoring", ["strict", "answered"])
def test_scores_on_the_pairs_equal_scikit_learn_and_statsmodels(rows, said, truth, scoring):
    row = rows.filter(kind="model", model="one", other_model="two", prompt="simple", scoring=scoring).row(0, named=True)
    pairs = both(said, ("one", "simple"), ("two", "simple"), scoring)
    of = [truth[name] for name in pairs["image_id"]]
    expected = [f1_score(of, pairs[side], labels=LABELS, average="weighted", zero_division=0) for side in ("label", "label_other")]
    assert row["n_pairs"] == pairs.height
    assert [row["value"], row["other_value"]] == pytest.approx(expected)
    assert row["delta"] == pytest.approx(expected[0] - expected[1])
    right = [np.array([said_ == label for said_, label in zip(pairs[side], of, strict=True)]) for side in ("label", "label_other")]
    assert row["accuracy_delta"] == pytest.approx(right[0].mean() - right[1].mean())
    table = [[0, (right[0] & ~right[1]).sum()], [(~right[0] & right[1]).sum(), 0]]
    assert row["mcnemar_p"] == pytest.approx(mcnemar(table, exact=True).pvalue)


def test_skill_shows_in_interval_and_p_value(rows):
    row = rows.filter(kind="model", model="one", other_model="three", prompt="simple", scoring="strict").row(0, named=True)
    assert 0 < row["ci_low"] < row["delta"] < row["ci_high"]
    assert row["p_value"] == pytest.approx(1 / 501)


def test_holm_is_within_one_prompt_and_scoring(rows):
    for (_, _, _), family in rows.group_by("kind", "prompt", "scoring"):
        assert family["p_holm"].to_list() == pytest.approx(multipletests(family["p_value"], method="holm")[1])
        if family["kind"][0] != "persona":
            assert family["mcnemar_holm"].to_list() == pytest.approx(multipletests(family["mcnemar_p"], method="holm")[1])


def test_prompts_that_offer_fewer_labels_are_compared_between_models_alone():
    said = answers([(model, prompt, name, "awe") for model in "mn" for prompt in ("simple", "of_four", "other") for name in "abc"])
    (subset,) = read_subsets(relation(said), relation(images(dict.fromkeys("abc", "awe"))))
    rows = comparisons(subset, SCHEMES, {}, KEEP, 50, easier=["of_four"])
    assert set(rows.filter(kind="model")["prompt"]) == {"simple", "of_four", "other"}
    assert set(rows.filter(kind="prompt")["prompt"]) == {"other"}


def test_a_persona_shifts_the_bias_by_hand():
    """Of four images with a sentiment in both answers one negative image turns positive: the bias moves from 0 to 1/4."""
    known = images({"a": "fear", "b": "sadness", "c": "awe", "d": "joy", "e": "neutral"})
    plain = {"a": "fear", "b": "fear", "c": "joy", "d": "awe", "e": "awe"}
    cheerful = plain | {"a": "awe"}
    said = answers([("m", prompt, name, label) for prompt, of in (("simple", plain), ("cheerful", cheerful)) for name, label in of.items()])
    row = compared(said, known).filter(kind="persona").row(0, named=True)
    assert [row[name] for name in ("n_pairs", "value", "other_value", "delta")] == pytest.approx([4, 0.25, 0, 0.25])
    assert row["p_value"] == 1
    assert (row["accuracy_delta"], row["mcnemar_p"]) == (None, None)


def test_with_several_answers_an_image_the_image_stays_the_unit():
    """Ten images answered five times alike on both sides: the same interval and p-value as with one answer; McNemar does not apply."""
    known = images({f"{number}": "awe" for number in range(10)})
    once = [(model, "p", f"{number}", "awe" if number < right else "fear") for model, right in (("m", 8), ("n", 4)) for number in range(10)]
    one, five = (compared(answers(once * times), known).filter(scoring="strict").row(0, named=True) for times in (1, 5))
    same = ["n_pairs", "value", "other_value", "delta", "ci_low", "ci_high", "p_value", "accuracy_delta"]
    assert [one[name] for name in same] == pytest.approx([five[name] for name in same])
    assert one["mcnemar_p"] == pytest.approx(2 / 2**4)
    assert five["mcnemar_p"] is None


def test_more_answers_on_one_side_do_not_make_a_difference_likelier():
    """Twelve images answered alike, on one side 24 times each: nothing but the number of answers has changed."""
    known = images({f"{number:02}": "awe" if number < 7 else "fear" for number in range(12)})

    def said(prompt: str, n_right: int) -> list[tuple[str, str, str, str | None]]:
        return [("m", prompt, f"{number:02}", "awe" if (number < 7) == (number % 5 < n_right) else "fear") for number in range(12)]

    plain, cheerful = said("simple", 3), said("cheerful", 4)
    once, often = (compared(answers(plain + cheerful * times), known).sort("kind", "scoring") for times in (1, 24))
    assert once["kind"].unique().sort().to_list() == ["persona", "prompt"]
    assert often["p_value"].to_list() == once["p_value"].to_list()
    assert (once["p_value"] < 1).any()


@pytest.mark.parametrize(("n", "expected"), [(0, [0, None, None, None]), (1, [1, 0.0, None, None])])
def test_fewer_than_two_pairs_have_no_interval_and_no_test(n, expected):
    rows = [("m", "p", "a", "awe"), ("n", "p", "a", "awe" if n else "error")]
    row = compared(answers(rows), images({"a": "awe"})).filter(scoring="strict").row(0, named=True)
    assert [row[name] for name in ("n_pairs", "delta", "ci_low", "p_value")] == expected
    assert row["p_holm"] is None


def test_a_single_cell_has_no_comparison():
    assert compared(answers([("m", "simple", "a", "awe")]), images({"a": "awe"})).is_empty()
