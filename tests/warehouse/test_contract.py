"""Contracts: what they say of types, and what `conform` lets through."""

from hashlib import md5

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.errors import EveError
from eve_pipeline.warehouse.contract import Column, Contract, contracts

NAMES = ("key", "number", "share", "note")
CONTRACT = Contract(
    table="things",
    version=1,
    meaning="A thing.",
    key=("key",),
    columns={
        "key": Column(type="VARCHAR", meaning="name"),
        "number": Column(type="BIGINT", meaning="count"),
        "share": Column(type="DOUBLE", meaning="share", nullable=True),
        "note": Column(type="VARCHAR", meaning="remark", nullable=True),
    },
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"key": st.text(max_size=5), "number": st.integers(-(2**63), 2**63 - 1)},
        optional={"share": st.none() | st.floats(), "note": st.none() | st.text(max_size=5)},
    ),
    min_size=1,
    unique_by=lambda row: row["key"],
)


@pytest.mark.parametrize("name", contracts())
def test_shipped_contracts_are_whole(name: str) -> None:
    contract = contracts()[name]
    assert contract.table == name
    assert contract.version >= 1
    assert contract.meaning
    assert set(contract.key) <= contract.columns.keys()
    assert not any(contract.columns[column].nullable for column in contract.key)


@pytest.mark.parametrize("name", contracts())
def test_polars_and_duckdb_agree_on_types(name: str) -> None:
    contract = contracts()[name]
    empty = contract.polars_schema.to_frame()
    with duckdb.connect() as connection:
        connection.register("empty", empty)
        types = [str(kind) for kind in connection.table("empty").types]
        declared = [str(duckdb.sqltype(column.type)) for column in contract.columns.values()]
    assert types == declared


@given(ROWS, st.permutations(NAMES))
def test_conform_orders_columns_adds_nullable_ones_and_keeps_values(rows: list[dict[str, object]], order: list[str]) -> None:
    frame = pl.DataFrame(rows, schema_overrides=CONTRACT.polars_schema, infer_schema_length=None)
    shuffled = frame.select(name for name in order if name in frame.columns)
    conformed = CONTRACT.conform(shuffled)
    assert conformed.schema == CONTRACT.polars_schema
    assert conformed.select(frame.columns).equals(frame)
    assert CONTRACT.conform(conformed).equals(conformed)


@given(ROWS, st.data())
def test_a_repeated_key_is_refused(rows: list[dict[str, object]], data: st.DataObject) -> None:
    twice = [*rows, data.draw(st.sampled_from(rows))]
    with pytest.raises(EveError, match="repeat the key"):
        CONTRACT.conform(pl.DataFrame(twice, schema_overrides=CONTRACT.polars_schema, infer_schema_length=None))


def test_rows_may_repeat_without_a_key() -> None:
    keyless = CONTRACT.model_copy(update={"key": ()})
    assert keyless.conform(pl.DataFrame({"key": ["a", "a"], "number": [1, 1]})).height == 2


def test_narrower_types_are_widened() -> None:
    frame = pl.DataFrame({"key": ["a"], "number": [1]}, schema_overrides={"number": pl.Int8})
    assert CONTRACT.conform(frame).schema == CONTRACT.polars_schema


@given(st.text(max_size=5), st.text(max_size=5))
def test_derived_columns_are_computed_at_every_write_whatever_a_frame_says(dataset: str, image_id: str) -> None:
    rows = pl.DataFrame({"dataset": ["other", dataset], "image_id": ["x", image_id], "image_key": [1, 2]})
    columns = {name: contracts()["images"].columns[name] for name in rows.columns}
    derived = Contract(table="things", version=1, meaning="A thing.", key=(), columns=columns).conform(rows)
    lower = int.from_bytes(md5(f"{dataset}/{image_id}".encode(), usedforsecurity=False).digest()[8:], "little")
    assert derived["image_key"][1] == lower >> 1
    assert derived.drop("image_key").equals(rows.drop("image_key"))
    assert contracts()["images"].columns["image_key"].derived == contracts()["answers"].columns["image_key"].derived


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"key": ["a"]}, r"absent: \['number'\]"),
        ({"key": ["a"], "number": [1], "extra": [1]}, r"unknown: \['extra'\]"),
        ({"key": ["a"], "number": ["many"]}, "conversion"),
        ({"key": ["a"], "number": [None]}, r"NULL in \['number'\]"),
        ({"key": [None], "number": [1]}, r"NULL in \['key'\]"),
    ],
)
def test_a_broken_contract_names_table_and_column(columns: dict[str, list[object]], problem: str) -> None:
    with pytest.raises(EveError, match=problem) as error:
        CONTRACT.conform(pl.DataFrame(columns))
    assert "'things' (version 1)" in error.value.problem
