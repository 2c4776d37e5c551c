"""Every named query runs on a published database and answers what its first line asks."""

from collections import Counter
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


@pytest.mark.parametrize("name", QUERIES)
def test_query_says_what_it_answers_and_runs(database: Path, name: str) -> None:
    assert QUERIES[name].question.endswith("?")
    assert ask(database, name).width > 3


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
    file = tmp_path / "published" / "one" / "eve.duckdb"
    file.parent.mkdir(parents=True)
    with duckdb.connect(file) as connection:
        connection.execute("create schema raw")
        connection.register("configs", configs).execute("create table raw.configs as select * from configs")
        connection.register("answers", answers).execute("create table raw.answers as select * from answers")
    found = ask(file, "label_order_shares").select("label", "position", "n_answered", "n_chosen", "share_chosen", "is_complete")
    assert found.rows() == [
        ("awe", 1, 1, 0, 0.0, True),
        ("awe", 2, 2, 1, 0.5, True),
        ("fear", 1, 2, 1, 0.5, True),
        ("fear", 2, 1, 1, 1.0, True),
    ]


def test_unknown_query_lists_the_known_ones() -> None:
    with pytest.raises(EveError, match="leaderboard"):
        named_query("leaderbord", Settings())
