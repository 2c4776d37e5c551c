"""Schema `raw` of a published database: one relation a contract, with the rows of its Parquet files."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import duckdb

from eve_pipeline.errors import EveError
from eve_pipeline.warehouse.contract import Contract, contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_parts import visible_parts
from eve_pipeline.warehouse.tables import WITHOUT, check_file, linking, unreadable

READ_WHERE_THEY_LIE = frozenset({"responses"})  # append-only and large, so a view over its files instead of a copy
READ_FIRST = "answers"  # others write meanwhile: what an answer was read in is there before it, so it is found after it


def create_raw_schema(connection: duckdb.DuckDBPyConnection, warehouse: Warehouse) -> list[Path]:
    """Create and describe `raw.<table>` for every contract; columns that older files lack are derived or NULL, no files give no rows.

    Returns:
        the parts of `responses` that the published view reads.

    Raises:
        EveError: a file is damaged, of another table, or newer than this program.
    """
    connection.execute("CREATE SCHEMA raw")
    parts: dict[Path, int] = {}
    with linking(warehouse.home) as link:
        for contract in sorted(contracts().values(), key=lambda contract: contract.table != READ_FIRST):
            is_view = contract.table in READ_WHERE_THEY_LIE
            if is_view:
                parts = visible_parts(warehouse)
            versions = parts if is_view else dict(_linked(contract, warehouse, link))
            kind = "VIEW" if is_view else "TABLE"
            connection.execute(f"CREATE {kind} raw.{contract.table} AS {_rows(connection, contract, versions)}")
            for comment in _comments(contract, kind):
                connection.execute(comment)
    return list(parts)


def damaged_files(warehouse: Warehouse) -> Iterator[EveError]:
    """Read every file whole and yield an error for each that cannot be read; DuckDB does not say which of many files is damaged."""
    with duckdb.connect() as connection:
        for file, table in ((file, name) for name in contracts() for file in warehouse.files(name)):
            try:
                connection.execute("SELECT count(COLUMNS(*)) FROM read_parquet(?)", [str(file)])
            except duckdb.Error as error:
                if file.exists():
                    yield unreadable(file, error, WITHOUT[table])


def _linked(contract: Contract, warehouse: Warehouse, link: Callable[[Path, str], Path]) -> Iterator[tuple[Path, int]]:
    for file in warehouse.files(contract.table):
        name = link(file, contract.table)
        yield name, int(check_file(file, contract, name)["contract_version"])


def _rows(connection: duckdb.DuckDBPyConnection, contract: Contract, versions: Mapping[Path, int]) -> str:
    """Return a SELECT of all rows.

    Parts of `responses` of one version have equal columns, so that only one of 60,000 is opened to bind it. Other tables have few files,
    of which those of one version may differ: version 2 of configs was written with and without confidence_key.
    """
    groups = [[str(file) for file in versions if versions[file] == version] for version in sorted(set(versions.values()))]
    by_name = contract.table not in READ_WHERE_THEY_LIE
    found = [connection.read_parquet(names, hive_partitioning=False, union_by_name=by_name) for names in groups] or [
        connection.sql("SELECT 1 LIMIT 0")
    ]
    return " UNION ALL ".join(_with_all_columns(relation, contract).sql_query() for relation in found)


def _with_all_columns(relation: duckdb.DuckDBPyRelation, contract: Contract) -> duckdb.DuckDBPyRelation:
    values = {name: f'"{name}"' if name in relation.columns else column.derived or "NULL" for name, column in contract.columns.items()}
    columns = (f'{values[name]}::{column.type} AS "{name}"' for name, column in contract.columns.items())
    return relation.set_alias(contract.table).project(", ".join(columns))


def _comments(contract: Contract, kind: str) -> Iterator[str]:
    yield f"COMMENT ON {kind} raw.{contract.table} IS {_literal(contract.meaning)}"
    for name, column in contract.columns.items():
        meaning = f"{column.meaning} ({column.unit})" if column.unit else column.meaning
        yield f'COMMENT ON COLUMN raw.{contract.table}."{name}" IS {_literal(meaning)}'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
