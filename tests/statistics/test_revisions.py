"""Each revision of a cell against the one before it."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score

from eve_pipeline.statistics.comparisons import comparisons
from eve_pipeline.statistics.computing import keep_in
from eve_pipeline.statistics.revisions import revision_effects
from eve_pipeline.statistics.sheets import read_subsets
from tests.statistics.answers import SCHEMES, answers, images, relation

KEEP = keep_in(None)
LABELS = np.array(["awe", "fear", "sadness"])
DRAWS = 500
FIGURES = ["n_pairs", "value", "other_value", "delta", "ci_low", "ci_high", "p_value", "accuracy_delta", "mcnemar_p"]


@pytest.fixture(scope="module")
def truth() -> dict[str, str]:
    return {f"{number:03}": str(label) for number, label in enumerate(np.random.default_rng(0).choice(LABELS, 60))}


@pytest.fixture(scope="module")
def said(truth: dict[str, str]) -> pl.DataFrame:
    """Revisions 9, 10 and 11 of one cell, 1 and 2 of another, and a cell that never changed."""
    random = np.random.default_rng(1)
    skills = {("m", "p@9"): 0.9, ("m", "p@10"): 0.5, ("m", "p@11"): 0.6, ("m", "q@1"): 0.4, ("m", "q@2"): 0.8, ("n", "p@1"): 0.5}
    rows = []
    for (model, prompt), skill in skills.items():
        for name, label in truth.items():
            guess = label if random.random() < skill else str(random.choice(LABELS))
            rows.append((model, prompt, name, "refusal" if random.random() < 0.1 else "error" if random.random() < 0.05 else guess))
    return answers(rows)


@pytest.fixture(scope="module")
def effects(said: pl.DataFrame, truth: dict[str, str]) -> pl.DataFrame:
    (subset,) = read_subsets(relation(said), relation(images(truth)))
    return revision_effects(subset, KEEP, DRAWS)


def test_every_revision_is_compared_with_the_one_before_by_number(effects: pl.DataFrame):
    found = effects.select("model", "prompt", "number", "scoring").rows()
    assert sorted(found) == [("m", *which, scoring) for which in (("p", 10), ("p", 11), ("q", 2)) for scoring in ("answered", "strict")]


@pytest.mark.parametrize(("prompt", "number"), [("p", 10), ("p", 11), ("q", 2)])
def test_figures_are_those_of_a_comparison_of_two_prompts(
    effects: pl.DataFrame, said: pl.DataFrame, truth: dict[str, str], prompt: str, number: int
):
    names = {f"{prompt}@{number - 1}": "simple", f"{prompt}@{number}": "later"}
    two = said.filter(pl.col("prompt").is_in(names.keys())).with_columns(pl.col("prompt").replace(names))
    (subset,) = read_subsets(relation(two.filter(model="m")), relation(images(truth)))
    expected = comparisons(subset, SCHEMES, {}, KEEP, DRAWS).filter(kind="prompt").sort("scoring")
    found = effects.filter(prompt=prompt, number=number).sort("scoring")
    assert found.select(FIGURES).rows() == expected.select(FIGURES).rows()
    assert found["p_value"].is_not_null().all()


def test_the_later_revision_comes_first(effects: pl.DataFrame, said: pl.DataFrame, truth: dict[str, str]):
    row = effects.filter(prompt="p", number=10, scoring="strict").row(0, named=True)
    sides = [
        said.filter(pl.col("status") != "error", model="m", prompt=f"p@{n}").select("image_id", pl.col("label").fill_null("-"))
        for n in (10, 9)
    ]
    pairs = sides[0].join(sides[1], on="image_id", suffix="_before")
    of = [truth[name] for name in pairs["image_id"]]
    scores = [f1_score(of, pairs[side], labels=LABELS, average="weighted", zero_division=0) for side in ("label", "label_before")]
    assert [row["value"], row["other_value"], row["delta"]] == pytest.approx([*scores, scores[0] - scores[1]])
    assert row["delta"] < 0


def test_without_an_earlier_revision_there_is_nothing(truth: dict[str, str]):
    (subset,) = read_subsets(relation(answers([("m", "p@1", "000", "awe")])), relation(images(truth)))
    assert revision_effects(subset, KEEP, DRAWS).is_empty()
