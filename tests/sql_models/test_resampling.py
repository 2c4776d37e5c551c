"""Intervals and comparisons as they are published: of the scores beside them, for every cell, marked where a cell is incomplete."""

import polars as pl
import pytest

CELL = ["model", "dataset", "subset", "prompt"]


@pytest.mark.parametrize("name", ["weighted_f1", "affect_f1"])
def test_every_score_of_two_images_has_an_interval_around_it(mart, name):
    scores = mart(name)
    known = scores.filter(pl.col("n") > 10)
    assert known.height > 20
    assert known.select("ci_low", "ci_high").null_count().row(0) == (0, 0)
    assert (known["ci_low"] <= known["weighted_f1"]).all()
    assert (known["weighted_f1"] <= known["ci_high"]).all()
    assert scores.filter(pl.col("n") == 0).select("ci_low", "ci_high", "bca_low").null_count().row(0)[0] == scores.filter(n=0).height > 0


def test_every_bias_has_an_interval_around_it(mart):
    known = mart("sentiment_bias").filter(pl.col("n") > 10)
    assert known.height > 10
    assert ((known["ci_low"] <= known["sentiment_bias"]) & (known["sentiment_bias"] <= known["ci_high"])).all()


@pytest.mark.parametrize(
    ("name", "metrics", "n"),
    [
        ("weighted_f1", ("macro_f1", "accuracy"), "n"),
        ("affect_f1", ("macro_f1", "accuracy"), "n"),
        ("per_class_f1", ("f1", "precision", "recall"), "support"),
    ],
)
def test_the_other_scores_have_theirs(mart, name, metrics, n):
    for metric in metrics:
        known = mart(name).filter(pl.col(n) > 10).drop_nulls(f"{metric}_low")
        assert known.height > 20
        assert ((known[f"{metric}_low"] <= known[metric]) & (known[metric] <= known[f"{metric}_high"])).all()


def test_every_category_of_error_has_an_interval_around_its_share(mart):
    known = mart("error_categories").filter(pl.col("n").sum().over(*CELL, "scheme") > 5)
    assert known.height > 20
    assert ((known["ci_low"] <= known["share"]) & (known["share"] <= known["ci_high"])).all()


def test_comparisons_tell_the_coverage_of_both_sides(mart):
    coverage = mart("coverage").select(*CELL, "coverage")
    rows = mart("model_comparison").join(coverage, on=CELL, suffix="_of_cell")
    other = coverage.rename({"model": "other_model", "coverage": "of_other"})
    both = rows.join(other, on=["other_model", *CELL[1:]])
    assert both.height == mart("model_comparison").height > 0
    assert (both["coverage"] == both["coverage_of_cell"]).all()
    assert (both["other_coverage"] == both["of_other"]).all()
    assert both["coverage"].n_unique() > 1


def test_models_are_compared_on_what_both_have_scored(mart, current_answers):
    rows = mart("model_comparison").filter(model="one", other_model="perfect", prompt="simple", scoring="answered", subset="labelled-hard")
    (row,) = rows.rows(named=True)
    ok = current_answers.filter(model="one", prompt="simple", subset="labelled-hard", status="ok")
    labelled = mart("weighted_f1").filter(model="one", prompt="simple", subset="labelled-hard", scoring="answered")
    assert 0 < row["n_pairs"] <= ok["image_id"].n_unique()
    assert row["weighted_f1"] == pytest.approx(labelled["weighted_f1"].item())  # the other model answers every image
    assert row["p_value"] <= row["p_holm"]
    assert row["mcnemar_p"] is None  # two repeats an image
    assert not row["is_complete"]  # model one has errors


def test_prompts_are_compared_with_the_plain_one(mart):
    rows = mart("prompt_effects")
    assert rows["baseline"].unique().to_list() == ["simple"]
    assert rows["prompt"].unique().to_list() == ["positive_persona"]
    assert rows.filter(model="perfect")["is_complete"].all()
    assert rows.filter(model="broken")["n_pairs"].sum() == 0


def test_personas_shift_the_bias(mart):
    rows = mart("persona_shift")
    assert rows["persona"].unique().to_list() == ["positive"]
    known = rows.filter(pl.col("n_pairs") > 1)
    assert (known["shift"] - (known["sentiment_bias"] - known["baseline_bias"])).abs().max() < 1e-12
    assert ((known["ci_low"] <= known["shift"]) & (known["shift"] <= known["ci_high"])).all()
