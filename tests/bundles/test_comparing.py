"""Counts and texts must be equal, floats nearly; what one side alone has is a difference."""

import polars as pl

from eve_pipeline.bundles.comparing import differences, mart_keys
from eve_pipeline.settings import PROJECT

ROWS = pl.DataFrame(
    {"model": ["a", "b", None], "n": [1, 2, 3], "f1": [0.5, None, 0.1], "word": ["x", None, "z"], "labels": [["u"], [], None]}
)


def found(theirs: pl.DataFrame, ours: pl.DataFrame) -> list[tuple]:
    return differences("weighted_f1", ["model"], theirs, ours).rows()


def test_equal_tables_do_not_differ_whatever_their_order():
    assert found(ROWS, ROWS.reverse()) == []


def test_the_last_digits_of_a_float_do_not_count_but_others_do():
    assert found(ROWS.with_columns(pl.col("f1") * (1 + 1e-8)), ROWS) == []
    assert found(ROWS.with_columns(pl.col("f1") * (1 + 1e-5)), ROWS) == [
        ("weighted_f1", "a", "f1", str(0.5 * (1 + 1e-5)), "0.5"),
        ("weighted_f1", "-", "f1", str(0.1 * (1 + 1e-5)), "0.1"),
    ]


def test_counts_texts_nulls_and_lists_must_be_equal():
    assert found(ROWS.with_columns(n=pl.Series([1, 2, 4])), ROWS) == [("weighted_f1", "-", "n", "4", "3")]
    assert found(ROWS.with_columns(word=pl.Series(["x", "y", "z"])), ROWS) == [("weighted_f1", "b", "word", "y", None)]
    assert found(ROWS.with_columns(f1=pl.Series([0.5, 0.0, 0.1])), ROWS) == [("weighted_f1", "b", "f1", "0.0", None)]
    assert found(ROWS.with_columns(labels=pl.Series([["u"], ["v"], None])), ROWS) == [("weighted_f1", "b", "labels", '["v"]', "[]")]


def test_rows_and_columns_of_one_side_are_told():
    assert found(ROWS.head(1), ROWS.head(2)) == [("weighted_f1", "b", "all", "absent", "present")]
    assert found(ROWS.head(2), ROWS.head(1)) == [("weighted_f1", "b", "all", "present", "absent")]
    assert found(ROWS, ROWS.drop("word")) == [("weighted_f1", "all", "word", "present", "absent")]
    assert found(ROWS.drop("word"), ROWS) == []  # a later program knows more
    assert found(ROWS, pl.DataFrame())[0] == ("weighted_f1", "all", "model", "present", "absent")


def test_a_row_that_comes_twice_is_told_once():
    assert found(pl.concat([ROWS, ROWS.head(1)]), ROWS) == [("weighted_f1", "a", "all", "twice", "once")]


def test_every_mart_has_a_key():
    marts = {file.stem for file in (PROJECT / "dbt_like_models" / "models" / "marts").glob("*.sql")}
    assert mart_keys(PROJECT / "dbt_like_models").keys() == marts
