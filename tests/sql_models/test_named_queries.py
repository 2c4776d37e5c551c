"""Every named query runs on a published database and answers what its first line asks."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest

from eve_pipeline.emotions.affect import sentiments
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.query import named_queries, named_query, run_query

QUERIES = named_queries(Settings())


def ask(database: Path, name: str, **parameters: object) -> pl.DataFrame:
    query = QUERIES[name]
    return run_query(database, query.sql, query.parameters | parameters)


SCORES = {
    "weighted_f1",
    "f1",
    "accuracy",
    "sentiment_bias",
    "shift",
    "delta",
    "share_flipped",
    "best_f1",
    "share_alike",
    "fine_grained_rate",
}
OF_CLASSIFIERS = {"hard_thresholds", "hard_subset_balance"}  # these score all images


@pytest.mark.parametrize("name", QUERIES)
def test_query_says_what_it_answers_and_runs_and_scores_show_n_and_whether_they_are_complete(database: Path, name: str) -> None:
    assert QUERIES[name].question.endswith("?")
    columns = set(ask(database, name).columns)
    assert len(columns) > 3
    if columns & SCORES and name not in OF_CLASSIFIERS:
        assert "is_complete" in columns
        assert columns & {"n", "n_pairs", "n_items", "min_n"}


def test_there_are_many() -> None:
    assert len(QUERIES) >= 15


def test_leaderboard_is_ordered_within_each_subset(database: Path) -> None:
    board = ask(database, "leaderboard", scoring="answered").filter(subset="labelled", is_complete=True)
    assert board["model"].to_list() == ["perfect"]
    assert ask(database, "leaderboard").filter(subset="labelled")["model"].to_list()[-1] == "broken"


def test_hardest_images_are_missed_by_all(database: Path, images: pl.DataFrame, current_answers: pl.DataFrame) -> None:
    hardest = ask(database, "hardest_images", limit=1000)
    truths = images.select("dataset", "image_id", truth="label").drop_nulls()
    asked = current_answers.filter(pl.col("prompt") == "simple", ~pl.col("status").is_in(["error", "missing"]))
    hit = asked.join(truths, on=["dataset", "image_id"]).filter(pl.col("label") == pl.col("truth"))
    wanted = asked.join(truths, on=["dataset", "image_id"]).join(hit, on=["dataset", "image_id"], how="anti")
    assert set(hardest.select("dataset", "image_id").rows()) == set(wanted.select("dataset", "image_id").rows())
    assert hardest.height > 0
    failed = current_answers.filter(pl.col("prompt") == "simple", pl.col("status").is_in(["error", "missing"]))
    incomplete = set(failed.select("dataset", "image_id").rows())
    marks = {(dataset, image): complete for dataset, image, complete in hardest.select("dataset", "image_id", "is_complete").rows()}
    assert marks == {image: image not in incomplete for image in marks}


def test_confused_pairs_are_of_emotions(database: Path) -> None:
    pairs = ask(database, "confused_pairs", limit=1000)
    assert "__none__" not in pairs["predicted"]
    assert not pairs["is_complete"].any()


def test_incomplete_cells_are_those_with_failures(database: Path, current_answers: pl.DataFrame) -> None:
    failed = current_answers.filter(pl.col("status").is_in(["error", "missing"]))
    cells = ask(database, "incomplete_cells")
    assert cells.height == failed.select("model", "subset", "prompt").n_unique()
    assert (cells["n_missing"] + cells["n_error"]).sum() == failed.height


def test_persona_flips_compare_the_same_image(database: Path, current_answers: pl.DataFrame, sql_settings: Settings) -> None:
    sides = sentiments(sql_settings)
    cell = current_answers.filter(
        pl.col("label").is_in([name for name, side in sides.items() if side != "none"]), model="two", subset="mixed"
    )
    item = ["image_id", "repeat"]
    pairs = cell.filter(prompt="simple").join(cell.filter(prompt="positive_persona"), on=item).select("label", "label_right").rows()
    flips = Counter((sides[before], sides[after]) for before, after in pairs)
    found = ask(database, "persona_flips").filter(model="two", subset="mixed").row(0, named=True)
    assert found["n"] == flips.total()
    assert (found["n_turned_positive"], found["n_turned_negative"]) == (flips["negative", "positive"], flips["positive", "negative"])


def test_persona_flips_mark_incomplete_cells(database: Path) -> None:
    flips = ask(database, "persona_flips")
    assert set(flips.filter("is_complete")["model"]) == {"perfect"}
    assert not flips.filter(model="two", subset="mixed")["is_complete"].any()


def test_label_order_shares_are_of_the_answers_in_each_order(tmp_path: Path) -> None:
    """Two images in two orders: fear is chosen in one of two answers where it is first and in one of one where it is second."""
    cell = {"model": "m", "subset": "s", "prompt": "permutation_4"}
    orders = {"d1": ["fear", "awe"], "d2": ["awe", "fear"]}
    said = [("d1", "fear", "ok"), ("d1", "awe", "ok"), ("d2", "fear", "ok"), ("d2", None, "refusal")]
    configs = pl.DataFrame([{**cell, "config_digest": digest, "label_order": order} for digest, order in orders.items()])
    answers = pl.DataFrame(
        [{**cell, "dataset": "s", "config_digest": d, "label": label, "status": status, "is_current": True} for d, label, status in said]
    )
    file = published(tmp_path, {"raw.configs": configs, "raw.answers": answers})
    found = ask(file, "label_order_shares").select("label", "position", "n_answered", "n_chosen", "share_chosen", "is_complete")
    assert found.rows() == [
        ("awe", 1, 1, 0, 0.0, True),
        ("awe", 2, 2, 1, 0.5, True),
        ("fear", 1, 2, 1, 0.5, True),
        ("fear", 2, 1, 1, 1.0, True),
    ]


def readings(answers: pl.DataFrame, images: pl.DataFrame, prompt: str = "simple") -> pl.DataFrame:
    """Answers with a label to labelled images, with the truth."""
    truths = images.select("dataset", "image_id", truth="label").drop_nulls()
    return answers.filter(prompt=prompt, status="ok").join(truths, on=["dataset", "image_id"])


def test_model_agreement_counts_the_same_answers(database: Path, current_answers: pl.DataFrame, images: pl.DataFrame) -> None:
    read = readings(current_answers, images).filter(subset="mixed")
    item = ["dataset", "image_id", "repeat"]
    pairs = read.filter(model="one").join(read.filter(model="two"), on=item).select("truth", "label", "label_right").rows()
    rights = Counter((label == truth, other == truth) for truth, label, other in pairs)
    found = ask(database, "model_agreement").filter(subset="mixed", model="one", other_model="two").row(0, named=True)
    assert found["n"] == len(pairs) == rights.total()
    assert found["share_alike"] == round(sum(label == other for _, label, other in pairs) / len(pairs), 3)
    assert [found[f"n_{who}"] for who in ("both_right", "only_model_right", "only_other_right", "both_wrong")] == [
        rights[sides] for sides in ((True, True), (True, False), (False, True), (False, False))
    ]
    assert not found["is_complete"]


def test_raters_disagree_most_where_models_miss_what_all_saw(database: Path, current_answers: pl.DataFrame, images: pl.DataFrame) -> None:
    """Raters of these images all chose one label."""
    found = ask(database, "rater_disagreement", limit=1000)
    shares = readings(current_answers, images).group_by("dataset", "image_id").agg(share=(pl.col("label") == pl.col("truth")).mean())
    wanted = {(dataset, image): round(share, 3) for dataset, image, share in shares.rows()}
    assert found["share_who_agree_with_models"].is_sorted()
    assert {(row["dataset"], row["image_id"]): row["share_who_agree_with_models"] for row in found.to_dicts()} == pytest.approx(wanted)
    assert set(found["share_of_raters"]) == {1.0}
    assert ask(database, "rater_disagreement").height == 20


def test_prompt_sensitivity_names_the_extremes(database: Path, mart: Callable[[str], pl.DataFrame]) -> None:
    scores = mart("weighted_f1").filter(scoring="strict", subset="labelled", model="one").sort("weighted_f1")
    found = ask(database, "prompt_sensitivity").filter(subset="labelled", model="one").row(0, named=True)
    assert (found["worst_prompt"], found["best_prompt"]) == (scores["prompt"][0], scores["prompt"][-1])
    assert found["spread"] == pytest.approx(scores["weighted_f1"][-1] - scores["weighted_f1"][0], abs=0.00051)
    assert (found["n_prompts"], found["min_n"]) == (2, scores["n"].min())


@pytest.mark.parametrize(
    ("name", "only", "key", "figures"),
    [
        ("prompt_effects", {"scoring": "strict"}, ["model", "subset", "prompt"], ["delta", "ci_low", "ci_high", "p_holm", "n_pairs"]),
        ("persona_shift", {"scheme": "circumplex"}, ["model", "subset", "persona"], ["shift", "ci_low", "ci_high", "p_holm", "n_pairs"]),
        (
            "model_comparison",
            {"scoring": "strict", "prompt": "simple"},
            ["model", "other_model", "subset"],
            ["delta", "ci_low", "ci_high", "p_holm", "n_pairs"],
        ),
    ],
)
def test_comparisons_are_those_of_the_mart(
    database: Path, mart: Callable[[str], pl.DataFrame], name: str, only: dict[str, str], key: list[str], figures: list[str]
) -> None:
    wanted = mart(name).filter(**only).select(*key, *figures, "is_complete").sort(key)
    found = ask(database, name).select(wanted.columns).sort(key)
    assert found.select(*key, "is_complete").equals(wanted.select(*key, "is_complete"))
    for figure in figures:
        assert found[figure].to_list() == pytest.approx(wanted[figure].to_list(), abs=0.00051, nan_ok=True), figure
    assert found.height > 0


def test_persona_flipped_images_are_counted_by_model(database: Path, current_answers: pl.DataFrame, sql_settings: Settings) -> None:
    sides = sentiments(sql_settings)
    sided = current_answers.filter(pl.col("label").is_in([name for name, side in sides.items() if side != "none"]))
    item = ["model", "subset", "dataset", "image_id", "repeat"]
    pairs = sided.filter(prompt="simple").join(sided.filter(prompt="positive_persona"), on=item)
    models: dict[tuple[str, str], set[str]] = {}
    for row in pairs.to_dicts():
        if sides[row["label"]] != sides[row["label_right"]]:
            models.setdefault((row["dataset"], row["image_id"]), set()).add(row["model"])
    found = ask(database, "persona_flipped_images", limit=1000)
    assert {(row["dataset"], row["image_id"]): row["n_flipped"] for row in found.to_dicts()} == {
        image: len(flipped) for image, flipped in models.items()
    }
    assert found["n_flipped"].is_sorted(descending=True)
    for row in found.to_dicts():
        assert sides[row["label_before"]] != "none"
        assert row["n_flipped"] <= row["n_models"] <= 3


def test_unusable_answers_are_all_but_ok(database: Path, current_answers: pl.DataFrame) -> None:
    found = ask(database, "unusable_answers", limit=1000)
    cell = found.filter(model="one", subset="rated", prompt="simple").row(0, named=True)
    counts = Counter(current_answers.filter(model="one", subset="rated", prompt="simple")["status"])
    assert cell["n_items"] == counts.total()
    assert cell["n_unusable"] == counts.total() - counts["ok"]
    assert cell["share_unusable"] == round(1 - counts["ok"] / counts.total(), 3)
    assert {status: cell[f"n_{status}"] for status in counts if status != "ok"} == {k: n for k, n in counts.items() if k != "ok"}
    assert set(found["model"]) == {"one", "two", "broken"}


def test_emotions_missed_name_the_most_common_mistake(database: Path, current_answers: pl.DataFrame, images: pl.DataFrame) -> None:
    found = ask(database, "emotions_missed").filter(model="two", subset="labelled")
    read = readings(current_answers, images).filter(model="two", subset="labelled")
    for row in found.to_dicts():
        of_label = read.filter(truth=row["label"])
        mistakes = Counter(of_label["label"])
        hits = mistakes.pop(row["label"], 0)
        assert row["recall"] == round(hits / row["n"], 3)
        assert row["most_common_mistake"] == min(mistakes, key=lambda label: (-mistakes[label], label))
    assert found["f1"].is_sorted()
    assert found.height == 8


def published(folder: Path, tables: dict[str, pl.DataFrame]) -> Path:
    """A database of these tables alone, where a publication lies."""
    file = folder / "published" / "one" / "eve.duckdb"
    file.parent.mkdir(parents=True)
    with duckdb.connect(file) as connection:
        for name, rows in tables.items():
            connection.execute(f"create schema if not exists {name.split('.')[0]}")
            connection.register("rows", rows).execute(f"create table {name} as select * from rows")
    return file


def test_revision_changes_are_those_of_the_last_revision(tmp_path: Path) -> None:
    row = {
        "model": "m", "subset": "s", "prompt": "simple", "scoring": "strict", "changed": "model", "is_current": True, "n_pairs": 3,
        "model_revision_before": "0123456789abcdef", "model_revision": "fedcba9876543210", "n_changed": 3, "n_flipped_right": 1,
        "n_flipped_wrong": 1, "weighted_f1_before": 1 / 3, "weighted_f1": 0.5, "ci_low": -0.12345, "ci_high": 0.4, "is_complete": False,
    }  # fmt: skip
    others = [{"is_current": False}, {"scoring": "answered"}, {"prompt": "other"}]
    file = published(tmp_path, {"marts.revision_comparison": pl.DataFrame([row, *(row | other for other in others)])})
    assert ask(file, "revision_changes").to_dicts() == [
        {
            "model": "m",
            "subset": "s",
            "changed": "model",
            "revision_before": "0123456789ab",
            "revision": "fedcba987654",
            "n": 3,
            "n_changed": 3,
            "n_flipped_right": 1,
            "n_flipped_wrong": 1,
            "weighted_f1_before": 0.333,
            "weighted_f1": 0.5,
            "delta_ci_low": -0.123,
            "delta_ci_high": 0.4,
            "is_complete": False,
        }
    ]


def test_open_words_come_with_their_nearest_label(tmp_path: Path) -> None:
    row = {"model": "m", "dataset": "s", "subset": "s", "prompt": "no_labels", "is_generic": False, "is_complete": True}
    words = [("rage", 2, "anger", 0.7444), ("happy", 5, None, None), ("dread", 3, "fear", 0.433)]
    rows = [row | {"word": w, "n": n, "share": n / 100, "nearest_label": near, "similarity": s} for w, n, near, s in words]
    file = published(tmp_path, {"marts.unmatched_words": pl.DataFrame([*rows, rows[0] | {"prompt": "other"}])})
    found = ask(file, "open_words", limit=2)
    assert found.select("word", "n", "share", "nearest_label", "similarity").rows() == [
        ("happy", 5, 0.05, None, None),
        ("dread", 3, 0.03, "fear", 0.433),
    ]


def test_open_vocabulary_runs_through_the_thresholds(tmp_path: Path) -> None:
    row = {
        "model": "m",
        "dataset": "s",
        "subset": "s",
        "prompt": "no_labels",
        "n_items": 10,
        "n": 10,
        "n_matched_by_string": 4,
        "n_generic": 1,
    }
    rows = [
        row | {"threshold": threshold, "n_matched_by_embedding": n, "n_unmatched": 5 - n, "fine_grained_rate": (4 + n) / 10}
        for threshold, n in ((0.6, 1), (0.4, 3), (0.5, 2))
    ]
    scored = pl.DataFrame([r | {"weighted_f1": 0.25, "is_default": r["threshold"] == 0.5, "is_complete": True} for r in rows])
    found = ask(published(tmp_path, {"marts.open_vocabulary": scored}), "open_vocabulary")
    assert found.select("threshold", "n_matched_by_embedding", "fine_grained_rate", "is_default").rows() == [
        (0.4, 3, 0.7, False),
        (0.5, 2, 0.6, True),
        (0.6, 1, 0.5, False),
    ]


def test_unknown_query_lists_the_known_ones() -> None:
    with pytest.raises(EveError, match="leaderboard"):
        named_query("leaderbord", Settings())
