"""The append-only `responses`: immutable parts per cell folder, resolved to one row a key when they are read."""

import duckdb
import polars as pl

from eve_pipeline.errors import EveError
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse

GOOD = "delivery <> 'error'"


def connect_responses(warehouse: Warehouse) -> duckdb.DuckDBPyConnection:
    """Return an in-memory database whose view `responses` holds every stored part.

    Raises:
        EveError: a part is damaged or newer than this program; it is named.
    """
    connection = duckdb.connect()
    parts = [str(path) for path in warehouse.files("responses")]
    if not parts:
        connection.register("responses", contracts()["responses"].polars_schema.to_frame())
        return connection
    _refuse_newer(connection, parts)
    connection.read_parquet(parts, union_by_name=True).create_view("responses")
    return connection


def unanswered(requests: pl.DataFrame, warehouse: Warehouse) -> pl.DataFrame:
    """Return the rows of `requests` (any columns, among them request_key) whose key has no good response, each key once."""
    with connect_responses(warehouse) as connection:
        connection.register("wanted", requests.unique("request_key", maintain_order=True))
        stored = f"select request_key from responses where {GOOD}"  # noqa: S608 - a constant
        missing: pl.DataFrame = connection.sql(f"select * from wanted anti join ({stored}) using (request_key)").pl()  # noqa: S608 - a constant
        return missing


def stored_responses(request_keys: pl.Series, warehouse: Warehouse) -> pl.DataFrame:
    """Return one row of `responses` for each key that has any: the earliest good one, else the latest error."""
    with connect_responses(warehouse) as connection:
        connection.register("wanted", request_keys.unique().to_frame("request_key"))
        resolved: pl.DataFrame = connection.sql(
            f"""
            select responses.* from responses semi join wanted using (request_key)
            qualify row_number() over (
                partition by request_key
                order by ({GOOD}) desc, case when {GOOD} then created_at end, created_at desc
            ) = 1
            """  # noqa: S608 - a constant
        ).pl()
        return resolved


def _refuse_newer(connection: duckdb.DuckDBPyConnection, parts: list[str]) -> None:
    known = contracts()["responses"].version
    query = """
        select file_name, decode(value) from parquet_kv_metadata($parts)
        where decode(key) = 'contract_version' and decode(value)::int > $known limit 1
    """
    try:
        newer = connection.execute(query, {"parts": parts, "known": known}).fetchone()
    except duckdb.Error as error:
        raise EveError(f"A part of `responses` cannot be read: {error}", "Move the named file away and run again.") from error
    if newer:
        raise EveError(
            f"{newer[0]} has version {newer[1]} of table 'responses'; this program reads up to {known}",
            "Upgrade eve_pipeline.",
        )
