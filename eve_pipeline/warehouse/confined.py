"""The process that runs one question: a single SELECT, read-only, with nothing else of the machine in reach.

It is started by `run_query`, a process a question: DuckDB counts the memory of strings nowhere and cannot be interrupted inside
one function call, so that only the operating system can hold a query to its limits.
"""

import json
import math
import os
import pickle
import re
import resource
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import duckdb
import pyarrow as pa

from eve_pipeline.errors import EveError
from eve_pipeline.warehouse.limits import REFUSED, Limits

ONLY_SELECT = "Only a single SELECT can be asked"
QUERY_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE", "RECURSIVE_CTE_NODE"}
TABLE_FUNCTION = re.compile(r"unnest|range|generate_series|json_each|json_tree|duckdb_\w+")
BATCH_ROWS = 2048


def main() -> None:
    """Read the first arguments of `stream` from standard input, pickled; rows go to standard output, an error to standard error."""
    try:
        database, sql, parameters, limits = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by the process that started this one
        stream(database, sql, parameters, limits, sys.stdout.buffer)
    except EveError as error:
        print(json.dumps([error.problem, error.hint]), file=sys.stderr, flush=True)  # noqa: T201 - for the process that started this one
        os._exit(REFUSED)  # nothing is said after it, as DuckDB's bindings do at the end of an interpreter


def stream(database: Path, sql: str, parameters: Mapping[str, object], limits: Limits, out: IO[bytes]) -> None:
    """Write the result of one SELECT to `out` as an Arrow stream, at most one row more than the limit.

    Args:
        database: file of a published database, not a link to it.
        sql: the text of one SELECT.
        parameters: values of its `$name` parameters.
        limits: what it may take; the process that started this one ends it when its time is over.
        out: where to write.

    Raises:
        EveError: the text is not exactly one SELECT that only reads tables, takes too much memory, or DuckDB refuses it.
    """
    try:
        with _open(database, limits) as connection:
            _limit_process(limits)
            check(sql)
            reader = connection.sql(sql, params=dict(parameters)).to_arrow_reader(BATCH_ROWS)
            names = _distinct(reader.schema.names)
            schema = pa.schema([field.with_name(name) for field, name in zip(reader.schema, names, strict=True)])
            _check_types(schema)
            with pa.ipc.new_stream(out, schema) as writer:
                for batch in _first(reader, limits):
                    writer.write_batch(batch.rename_columns(names))
    except (
        duckdb.Error,
        OSError,
        MemoryError,
        RecursionError,
        UnicodeError,
    ) as error:  # what fails in the middle of a stream is an OSError
        raise _explained(error, limits.memory_gb) from error


def _open(database: Path, limits: Limits) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | bool | int | float | list[str]] = {
        "python_enable_replacements": False,
        "memory_limit": f"{limits.n_bytes}B",
        "temp_directory": "",  # nothing is spilled to disk
        "threads": limits.threads,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(database, read_only=True, config=config)
    if connection.execute("SELECT 1 FROM duckdb_schemas() WHERE schema_name = 'marts'").fetchone():
        connection.execute("USE marts")  # which are meant where a name has no schema
    responses = str(database.parents[2] / "warehouse" / "responses").replace("'", "''")
    connection.execute(f"SET allowed_directories = ['{responses}']")  # raw.responses is a view over files there
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _limit_process(limits: Limits) -> None:
    """Hold this process to its memory, where the system can (Linux), and to its time should its parent not live to end it."""
    seconds = math.ceil(limits.seconds * limits.threads) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[5])
        n_bytes = pages * resource.getpagesize() + limits.n_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (n_bytes, n_bytes))


def _first(batches: Iterator[pa.RecordBatch], limits: Limits) -> Iterator[pa.RecordBatch]:
    """Yield the first rows, one more than the limit; a result of too many bytes is a `MemoryError`."""
    n_bytes, missing = limits.n_bytes, None if limits.rows is None else limits.rows + 1
    for batch in batches:
        wanted = batch if missing is None else batch.slice(length=missing)
        n_bytes -= wanted.nbytes
        if n_bytes < 0:
            raise MemoryError
        yield wanted
        if missing is not None:
            missing -= wanted.num_rows
            if not missing:
                return


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the names, those that were there before with a number behind them, as DuckDB names them in a subquery."""
    found: list[str] = []
    for name in names:
        others = (f"{name}_{number}" for number in range(1, len(names) + 1))
        found.append(name if name not in found else next(other for other in others if other not in {*found, *names}))
    return found


def _check_types(schema: pa.Schema) -> None:
    """Refuse columns that polars cannot read."""
    if unknown := [field.name for field in schema if _is_unknown(field.type)]:
        raise EveError(f"The column {unknown[0]!r} is or holds an INTERVAL or UNION", "Write ::varchar behind it.")


def _is_unknown(kind: pa.DataType) -> bool:
    if pa.types.is_interval(kind) or pa.types.is_union(kind):
        return True
    return any(_is_unknown(kind.field(number).type) for number in range(kind.num_fields))


def _explained(error: Exception, memory_gb: float) -> EveError:
    if isinstance(error, RecursionError):
        return EveError("The query is nested too deeply", "Break it up with WITH.")
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError) or "Out of Memory" in str(error):
        more = f"`eve sql --max-memory {2 * memory_gb:g}`, or Limits(memory_gb={2 * memory_gb:g})"
        return EveError(f"The query needs more than {memory_gb:g} GB of memory", f"Ask for less at once, or allow more: {more} in Python.")
    if isinstance(error, duckdb.PermissionException):
        return EveError(
            f"DuckDB: {error}", "A query reads published tables alone. Where EVE_HOME has been moved, `eve publish` makes them anew."
        )
    if re.search("Values were not provided|argument count mismatch", str(error)):
        return EveError(f"DuckDB: {error}", "Name each $parameter of the query, and no other: `eve sql -p NAME=VALUE`.")
    return EveError(f"DuckDB: {error}", "Correct the query; `eve sql --tables` and `eve sql --describe TABLE` show what there is.")


def check(sql: str) -> None:
    """Refuse, by an `EveError`, what is not one SELECT that reads tables.

    DuckDB alone does not: a read-only connection lets COPY overwrite files in allowed directories, also from inside a SELECT
    (`with x as (copy ... to ...)`) and from SQL in a string (`query('...')`), hence the walk over the parsed statement.
    """
    sql.encode()  # a lone surrogate, which DuckDB calls a wrong type
    statements = duckdb.extract_statements(sql)
    if len(statements) != 1:
        raise EveError(f"{ONLY_SELECT}, not {len(statements)} statements", "Ask them one by one.")
    with duckdb.connect() as parser:
        tree = json.loads(parser.execute("SELECT json_serialize_sql($sql)", {"sql": sql}).fetchall()[0][0])
    if statements[0].type is not duckdb.StatementType.SELECT or tree["error"]:
        raise EveError(f"{ONLY_SELECT}, not {statements[0].type.name}", "Open a copy of the database in DuckDB to change it.")
    for kind, name in _nodes(tree):
        if kind.endswith("_NODE") and kind not in QUERY_NODES:
            raise EveError(f"{ONLY_SELECT}, not {kind.removesuffix('_NODE')}", "Leave out what writes.")
        if kind == "TABLE_FUNCTION" and not TABLE_FUNCTION.fullmatch(name):
            raise EveError(f"The table function {name!r} is not available", "Read tables by their names.")


def _nodes(tree: object) -> Iterator[tuple[str, str]]:
    """Yield type and function name of every node of a serialized statement."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            function = node.get("function")
            yield str(node.get("type")), str(function["function_name"]).lower() if isinstance(function, dict) else ""
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


if __name__ == "__main__":
    main()
