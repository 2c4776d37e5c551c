"""Schema `raw` of a published database: one relation a contract, with the rows of its Parquet files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from eve_pipeline.warehouse.contract import Contract, contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import check_file

READ_WHERE_THEY_LIE = frozenset({"responses"})  # append-only and large, so a view over its files instead of a copy


def create_raw_schema(connection: duckdb.DuckDBPyConnection, warehouse: Warehouse) -> None:
    """Create and describe `raw.<table>` for every contract; columns that older files lack are NULL, no files give no rows.

    Raises:
        EveError: a file is damaged, of another table, or newer than this program.
    """
    connection.execute("CREATE SCHEMA raw")
    for contract in contracts().values():
        kind = "VIEW" if contract.table in READ_WHERE_THEY_LIE else "TABLE"
        rows = _rows(connection, contract, warehouse.files(contract.table))
        connection.execute(f"CREATE {kind} raw.{contract.table} AS {rows.sql_query()}")
        for comment in _comments(contract, kind):
            connection.execute(comment)


def _rows(connection: duckdb.DuckDBPyConnection, contract: Contract, files: Sequence[Path]) -> duckdb.DuckDBPyRelation:
    for file in files:
        check_file(file, contract)
    names = [str(file) for file in files]
    found = connection.read_parquet(names, union_by_name=True, hive_partitioning=False) if names else connection.sql("SELECT 1 LIMIT 0")
    values = {name: f'"{name}"' if name in found.columns else "NULL" for name in contract.columns}
    columns = (f'{values[name]}::{column.type} AS "{name}"' for name, column in contract.columns.items())
    return found.set_alias(contract.table).project(", ".join(columns))


def _comments(contract: Contract, kind: str) -> Iterator[str]:
    yield f"COMMENT ON {kind} raw.{contract.table} IS {_literal(contract.meaning)}"
    for name, column in contract.columns.items():
        meaning = f"{column.meaning} ({column.unit})" if column.unit else column.meaning
        yield f'COMMENT ON COLUMN raw.{contract.table}."{name}" IS {_literal(meaning)}'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
