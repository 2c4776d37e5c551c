"""The tables of human evaluation hold what statsmodels, krippendorff, scikit-learn and plain Python find in the same judgements."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import duckdb
import krippendorff
import numpy as np
import polars as pl
import pytest
from jinja2 import Environment
from sklearn.metrics import accuracy_score, f1_score
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa
from statsmodels.stats.proportion import proportion_confint

from eve_pipeline.settings import PROJECT, Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.query import named_queries, run_query

Mart = Callable[[str], pl.DataFrame]
MEANINGS = {name: {name} for name in ("model", "dataset", "both", "neither", "unsure")}
MEANINGS |= {"model_accepted": {"model", "both"}, "dataset_accepted": {"dataset", "both"}}
CODES = {name: number for number, name in enumerate(("model", "dataset", "both", "neither", "unsure"))}


@pytest.fixture(scope="module")
def judged(annotation_tasks: pl.DataFrame, annotations: pl.DataFrame) -> pl.DataFrame:
    """Judgements with their verdict, worked out row by row."""
    both = annotations.join(annotation_tasks.drop("created_at"), on=["study", "task"])
    verdicts = []
    for row in both.to_dicts():
        place = {"first": 0, "second": 1}.get(row["choice"])
        verdicts.append(row["choice"] if place is None else "dataset" if row["shown_order"][place] == row["truth"] else "model")
    return both.with_columns(verdict=pl.Series(verdicts))


def test_shares_are_means_over_images_with_wilson_intervals(mart: Mart, judged: pl.DataFrame) -> None:
    errors = judged.filter(~pl.col("is_control"), study="study")
    found = {
        (r["model"], r["dataset"], r["error_category"], r["verdict"]): r for r in mart("human_evaluation").filter(study="study").to_dicts()
    }
    slices = [
        (None, None, None),
        (None, "labelled", None),
        (None, None, "II"),
        ("one", None, None),
        ("two", None, "III"),
        ("one", "labelled", None),
    ]
    for (model, dataset, category), (verdict, members) in product(slices, MEANINGS.items()):
        rows = [
            row
            for row in errors.to_dicts()
            if (model is None or model in row["models"]) and (category is None or row["error_category"] == category)
        ]
        images: dict[str, list[bool]] = {}
        for row in rows:
            images.setdefault(row["image_id"], []).append(row["verdict"] in members)
        share = float(np.mean([np.mean(said) for said in images.values()]))
        row = found[model, dataset, category, verdict]
        assert row["share"] == pytest.approx(share)
        assert (row["n_images"], row["n_annotations"], row["n"]) == (len(images), len(rows), sum(map(sum, images.values())))
        assert row["n_tasks"] == len({r["task"] for r in rows})
        wanted = proportion_confint(share * len(images), len(images), method="wilson")
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(wanted)


def test_an_interval_holds_its_share_also_where_all_said_the_same() -> None:
    macros = Environment(autoescape=False).from_string((PROJECT / "dbt_like_models" / "macros" / "wilson.sql").read_text()).module  # noqa: S701 - SQL
    ends = ", ".join(getattr(macros, f"wilson_{end}")("share", "n") for end in ("low", "high"))
    rows = duckdb.sql(f"select n, share, {ends} from (select range as n, unnest([0.0, 1.0, 1 / n]) as share from range(2, 300))").fetchall()
    assert len(rows) == 3 * 298
    for n, share, low, high in rows:
        assert 0 <= low <= share <= high <= 1, n
        assert (low, high) == pytest.approx(proportion_confint(share * n, n, method="wilson"), abs=1e-12)


def test_the_five_verdicts_add_up(mart: Mart) -> None:
    shares = mart("human_evaluation").filter(~pl.col("verdict").str.ends_with("_accepted"))
    sums = shares.group_by("study", "model", "dataset", "error_category").agg(
        pl.col("share").sum(), pl.col("n").sum(), pl.first("n_annotations")
    )
    assert sums["share"].to_list() == pytest.approx([1.0] * sums.height)
    assert sums["n"].equals(sums["n_annotations"], check_names=False)


def test_agreement_equals_the_libraries_on_raw_answers(mart: Mart, judged: pl.DataFrame) -> None:
    errors = judged.filter(~pl.col("is_control"), study="study")
    wide = errors.with_columns(code=pl.col("verdict").replace_strict(CODES).cast(pl.Float64)).pivot(
        "annotator", index="task", values="code"
    )
    ratings = wide.drop("task").to_numpy()
    row = mart("human_agreement").filter(study="study", measure="verdict").row(0, named=True)
    assert row["krippendorff_alpha"] == pytest.approx(krippendorff.alpha(reliability_data=ratings.T, level_of_measurement="nominal"))
    complete = ratings[~np.isnan(ratings).any(axis=1)].astype(int)
    assert row["fleiss_kappa"] == pytest.approx(fleiss_kappa(aggregate_raters(complete)[0]))
    assert (row["n_annotators"], row["n_common_tasks"], row["n_tasks"]) == (3, len(complete), len(ratings))
    agreements = []
    for said in ratings:
        known = said[~np.isnan(said)]
        agreements.append(np.mean([a == b for i, a in enumerate(known) for j, b in enumerate(known) if i != j]))
    assert row["observed_agreement"] == pytest.approx(np.mean(agreements))


def test_agreement_that_is_not_defined_is_null(mart: Mart) -> None:
    rows = mart("human_agreement").filter(study="hard")
    assert (
        rows.select("n_annotators", "n_tasks", "observed_agreement", "krippendorff_alpha", "fleiss_kappa").rows()
        == [(1, 0, None, None, None)] * 2
    )


def test_quality_counts_each_annotator(mart: Mart, judged: pl.DataFrame) -> None:
    for row in mart("annotator_quality").filter(study="study").to_dicts():
        own = judged.filter(study="study", annotator=row["annotator"])
        controls = own.filter("is_control")
        n_right = controls.filter(verdict="dataset").height
        assert (row["n"], row["n_controls"], row["n_controls_right"]) == (own.height, controls.height, n_right)
        assert row["control_accuracy"] == pytest.approx(n_right / controls.height)
        if controls.height >= 2:
            assert (row["ci_low"], row["ci_high"]) == pytest.approx(proportion_confint(n_right, controls.height, method="wilson"))
        else:
            assert (row["ci_low"], row["ci_high"]) == (None, None)
        assert row["share_unsure"] == pytest.approx(own.filter(choice="unsure").height / own.height)
        assert row["median_seconds"] == (None if row["annotator"] == "cy" else pytest.approx(own["duration_s"].median()))
        one = own.filter(pl.col("choice").is_in(["first", "second"]))
        assert row["share_first"] == pytest.approx(one.filter(choice="first").height / one.height)


def accepted(judged: pl.DataFrame, study: str) -> dict[tuple[str, str], bool]:
    """Whether the majority accepts an answer, by image and answer; those that only unsure people judged are left out."""
    votes: dict[tuple[str, str], list[bool]] = {}
    for row in judged.filter(~pl.col("is_control"), study=study).to_dicts():
        if row["verdict"] != "unsure":
            votes.setdefault((row["image_id"], row["answer"]), []).append(row["verdict"] in {"model", "both"})
    return {key: sum(said) > len(said) / 2 for key, said in votes.items()}


@pytest.mark.parametrize("subset", ["labelled", "labelled-hard"])
@pytest.mark.parametrize("model", ["one", "two"])
def test_corrected_scores_are_those_of_scikit_learn(
    mart: Mart, judged: pl.DataFrame, current_answers: pl.DataFrame, images: pl.DataFrame, model: str, subset: str
) -> None:
    verdicts = accepted(judged, "study")
    truths = images.filter(dataset="labelled").select("image_id", truth="label").drop_nulls()
    cell = current_answers.filter(~pl.col("status").is_in(["error", "missing"]), model=model, subset=subset, prompt="simple")
    rows = cell.join(truths, on="image_id").to_dicts()
    truth = [row["truth"] for row in rows]
    plain = [row["label"] if row["status"] == "ok" else "__none__" for row in rows]
    corrected = [row["truth"] if verdicts.get((row["image_id"], said)) else said for row, said in zip(rows, plain, strict=True)]
    errors = [(r["image_id"], said) for r, said in zip(rows, plain, strict=True) if said not in {"__none__", r["truth"]}]
    annotated = [key for key in errors if key in verdicts]
    n_accepted = sum(verdicts[key] for key in annotated)
    found = mart("accepted_leaderboard").filter(study="study", model=model, subset=subset).row(0, named=True)
    labels = sorted(set(truth))
    for column, said in (("weighted_f1", plain), ("weighted_f1_corrected", corrected)):
        assert found[column] == pytest.approx(f1_score(truth, said, labels=labels, average="weighted", zero_division=0))
    assert (found["accuracy"], found["accuracy_corrected"]) == pytest.approx(
        (accuracy_score(truth, plain), accuracy_score(truth, corrected))
    )
    assert (found["n"], found["n_errors"], found["n_annotated"], found["n_accepted"]) == (
        len(rows),
        len(errors),
        len(annotated),
        n_accepted,
    )
    share, n_images = n_accepted / len(annotated), len({image for image, _ in annotated})
    low, high = proportion_confint(share * n_images, n_images, method="wilson")
    estimates = [found["accuracy"] + len(errors) / len(rows) * p for p in (share, low, high)]
    assert [found["accuracy_estimated"], found["ci_low"], found["ci_high"]] == pytest.approx(estimates)
    assert n_accepted > 0


def test_a_study_drawn_from_a_subset_says_nothing_of_others(mart: Mart) -> None:
    assert set(mart("accepted_leaderboard").filter(study="hard")["subset"]) <= {"labelled-hard"}


def test_named_queries_show_the_marts(database: Path, mart: Mart, judged: pl.DataFrame) -> None:
    queries = named_queries(Settings())

    def ask(name: str) -> pl.DataFrame:
        return run_query(database, queries[name].sql, queries[name].parameters)

    board = mart("accepted_leaderboard").filter(study="study")
    assert sorted(ask("accepted_leaderboard")["accuracy_estimated"]) == pytest.approx(sorted(board["accuracy_estimated"]), abs=0.00051)
    shares = ask("human_preferences")
    assert shares.height == mart("human_evaluation").filter(study="study").height
    assert shares.filter(model="all", dataset="all", error_category="all").height == len(MEANINGS)
    assert ask("annotator_agreement").height == mart("human_agreement").height
    preferred = {(row["image_id"], row["answer"]) for row in ask("preferred_answers").to_dicts()}
    assert preferred <= {key for key, is_accepted in accepted(judged, "study").items() if is_accepted}
    assert len(preferred) == min(50, sum(accepted(judged, "study").values()))


def test_without_any_study_the_tables_are_empty(empty_home: Settings) -> None:
    with duckdb.connect(Warehouse.of(empty_home).database, read_only=True) as connection:
        for name in ("human_evaluation", "human_agreement", "annotator_quality", "accepted_leaderboard"):
            assert connection.sql(f"select count(*) from marts.{name}").fetchall() == [(0,)]
