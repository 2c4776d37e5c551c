"""In what two versions of a table differ, by cell and column."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from eve_pipeline.bundles.contents import as_json
from eve_pipeline.registry import read_yaml

RELATIVE: Final = 1e-6
ABSOLUTE: Final = 1e-9
"""Sums of floats depend on their order, and the last digits of logarithms on the processor; counts and texts must be equal."""

DIFFERENCE: Final = dict.fromkeys(("table", "row", "column", "bundle", "recomputed"), pl.String)


def differences(table: str, key: Sequence[str], theirs: pl.DataFrame, ours: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each value that differs (table, row, column, bundle, recomputed), and for each row that only one side has.

    `theirs` says which columns are compared; one that `ours` lacks differs as a whole.
    """
    absent = [name for name in theirs.columns if name not in ours.columns]
    whole = pl.DataFrame([(table, "all", name, "present", "absent") for name in absent], DIFFERENCE, orient="row")
    if absent_key := [name for name in key if name in absent]:
        return whole.filter(pl.col("column").is_in(absent_key))
    columns = [name for name in theirs.columns if name not in {*key, *absent}]
    twice = theirs.filter(theirs.select(key).is_duplicated()).unique(key, maintain_order=True)
    theirs, ours = _comparable(theirs.select(*key, *columns), ours), _comparable(ours.select(*key, *columns), ours)
    both = theirs.with_columns(is_theirs=True).join(
        ours.with_columns(is_ours=True), on=list(key), how="full", nulls_equal=True, suffix="|ours", coalesce=True
    )
    row = pl.concat_str([pl.col(name).cast(pl.String).fill_null("-") for name in key], separator=" ")
    one_sided = both.filter(pl.col("is_theirs").is_null() | pl.col("is_ours").is_null()).select(
        table=pl.lit(table),
        row=row,
        column=pl.lit("all"),
        bundle=pl.when("is_theirs").then(pl.lit("present")).otherwise(pl.lit("absent")),
        recomputed=pl.when("is_ours").then(pl.lit("present")).otherwise(pl.lit("absent")),
    )
    shared = both.filter(pl.col("is_theirs") & pl.col("is_ours"))
    unequal = [
        shared.filter(~_is_equal(name, shared.schema[name])).select(
            table=pl.lit(table),
            row=row,
            column=pl.lit(name),
            bundle=pl.col(name).cast(pl.String),
            recomputed=pl.col(f"{name}|ours").cast(pl.String),
        )
        for name in columns
    ]
    doubled = twice.select(table=pl.lit(table), row=row, column=pl.lit("all"), bundle=pl.lit("twice"), recomputed=pl.lit("once"))
    return pl.concat([whole, one_sided, doubled, *unequal])


def _comparable(frame: pl.DataFrame, ours: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with our types, and lists and structures as texts."""
    typed = frame.with_columns(
        pl.col(name).cast(ours.schema[name], strict=False) for name in frame.columns if not ours.schema[name].is_nested()
    )
    return typed.with_columns(as_json(column) for column in typed if column.dtype.is_nested())


def _is_equal(name: str, dtype: pl.DataType) -> pl.Expr:
    theirs, ours = pl.col(name), pl.col(f"{name}|ours")
    if dtype.is_float():
        return theirs.eq_missing(ours) | ((theirs - ours).abs() <= ABSOLUTE + RELATIVE * ours.abs()).fill_null(value=False)
    return theirs.eq_missing(ours)


def mart_keys(dbt_project: Path) -> dict[str, list[str]]:
    """Return the columns whose combination is unique in each mart, as its dbt test says."""
    keys: dict[str, list[str]] = {}
    for file in sorted((dbt_project / "models" / "marts").glob("*.yml")):
        content = read_yaml(file)
        assert isinstance(content, dict)  # noqa: S101 - shipped and tested
        for model in content["models"]:
            tests = [test["unique_combination"] for test in model.get("data_tests", []) if "unique_combination" in test]
            keys[model["name"]] = tests[0]["arguments"]["columns"]
    return keys
