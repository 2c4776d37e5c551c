"""Ask the published database: one SELECT, read-only, with nothing else of the machine in reach."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import polars as pl
import yaml
from pydantic import BaseModel, ConfigDict

from eve_pipeline.errors import EveError
from eve_pipeline.registry import pick
from eve_pipeline.settings import Settings

ONLY_SELECT = "Only a single SELECT can be asked"
QUERY_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE", "RECURSIVE_CTE_NODE"}
TABLE_FUNCTION = re.compile(r"unnest|range|generate_series|json_each|json_tree|duckdb_\w+")
PARAMETER = re.compile(r"^-- \$(\w+) = (.+)$", re.MULTILINE)


class NamedQuery(BaseModel):
    """A query of the folder `sql`: the question it answers, its text, and the defaults of its `$parameters`."""

    model_config = ConfigDict(frozen=True)

    name: str
    question: str
    sql: str
    parameters: dict[str, str | int | float]


def named_queries(settings: Settings) -> dict[str, NamedQuery]:
    """Return the named queries; a file starts with `-- <question>`, then a line `-- $name = default` for each parameter."""
    return {file.stem: _named_query(file) for file in sorted(settings.named_queries.glob("*.sql"))}


def named_query(name: str, settings: Settings) -> NamedQuery:
    """Return one named query; `EveError` lists the known ones."""
    return pick(named_queries(settings), name, "query")


def _named_query(file: Path) -> NamedQuery:
    sql = file.read_text(encoding="utf-8")
    question = sql.partition("\n")[0].removeprefix("--").strip()
    defaults = {name: yaml.safe_load(default) for name, default in PARAMETER.findall(sql)}
    return NamedQuery(name=file.stem, question=question, sql=sql, parameters=defaults)


def run_query(database: Path, sql: str, parameters: Mapping[str, object] | None = None) -> pl.DataFrame:
    """Return the rows of one SELECT on a published database, its `$name` parameters bound.

    Raises:
        EveError: there is no database, the text is not exactly one SELECT that only reads tables, or DuckDB refuses it.
    """
    if not database.exists():
        raise EveError(f"There is no published database at {database}", "Run `eve demo` or `eve publish` first.")
    _check(sql)
    # A process that reconnects to a path gets the database it opened there before: the link's target is always new.
    file = database.resolve()
    try:
        with duckdb.connect(file, read_only=True, config={"python_enable_replacements": False}) as connection:
            _lock(connection, file.parents[2] / "warehouse" / "responses")
            rows: pl.DataFrame = connection.sql(sql, params=dict(parameters or {})).pl()
            return rows
    except duckdb.Error as error:
        raise EveError(f"DuckDB: {error}", "Correct the query; `select * from duckdb_columns()` lists every table's columns.") from error


def _lock(connection: duckdb.DuckDBPyConnection, readable: Path) -> None:
    folder = str(readable).replace("'", "''")
    connection.execute(f"SET allowed_directories = ['{folder}']")  # raw.responses is a view over files there
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _check(sql: str) -> None:
    """Refuse what is not one SELECT that reads tables.

    DuckDB alone does not: a read-only connection lets COPY overwrite files in allowed directories, also from inside a SELECT
    (`with x as (copy ... to ...)`) and from SQL in a string (`query('...')`), hence the walk over the parsed statement.
    """
    try:
        statements = duckdb.extract_statements(sql)
        with duckdb.connect() as parser:
            tree = json.loads(parser.execute("SELECT json_serialize_sql($sql)", {"sql": sql}).fetchall()[0][0])
    except duckdb.Error as error:
        raise EveError(f"DuckDB: {error}", "Correct the query.") from error
    if len(statements) != 1:
        raise EveError(f"{ONLY_SELECT}, not {len(statements)} statements", "Ask them one by one.")
    if statements[0].type is not duckdb.StatementType.SELECT or tree["error"]:
        raise EveError(f"{ONLY_SELECT}, not {statements[0].type.name}", "Open a copy of the database in DuckDB to change it.")
    for kind, name in _nodes(tree):
        if kind.endswith("_NODE") and kind not in QUERY_NODES:
            raise EveError(f"{ONLY_SELECT}, not {kind.removesuffix('_NODE')}", "Leave out what writes.")
        if kind == "TABLE_FUNCTION" and not TABLE_FUNCTION.fullmatch(name):
            raise EveError(f"The table function {name!r} is not available", "Read tables by their names.")


def _nodes(tree: object) -> Iterator[tuple[str, str]]:
    """Yield type and function name of every node of a serialized statement."""
    if isinstance(tree, dict):
        function = tree.get("function")
        yield str(tree.get("type")), str(function["function_name"]).lower() if isinstance(function, dict) else ""
    children = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    for child in children:
        yield from _nodes(child)
