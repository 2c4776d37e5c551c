"""`eve sql`: ask the published database."""

import io
import json
import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import polars as pl
import polars.selectors as cs
import typer
from rich.console import Console

from eve_pipeline.errors import EveError
from eve_pipeline.files import replacing, unwritable
from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained, show
from eve_pipeline.warehouse.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from eve_pipeline.warehouse.query import NamedQuery


NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


class Format(StrEnum):
    """How query results are written."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def complete_named() -> list[tuple[str, str]]:
    """Return the named queries and what they answer, for the completion of the shell."""
    return [(query.name, query.question) for query in _named_queries(Settings()).values()]


def complete_table() -> list[tuple[str, str]]:
    """Return the tables and what they hold, for the completion of the shell; nothing where no database is published."""
    from eve_pipeline.warehouse.dictionary import tables

    try:
        return [(table.key, table.meaning) for table in tables(_database(Settings())).values()]
    except EveError:
        return []


@explained
def sql(
    query: Annotated[str | None, typer.Argument(help="Exactly one SELECT.")] = None,
    named: Annotated[str | None, typer.Option(help="Run the query sql/NAME.sql.", autocompletion=complete_named)] = None,
    parameter: Annotated[list[str], typer.Option("--parameter", "-p", help="NAME=VALUE for a $NAME of the query; repeatable.")] = [],  # noqa: B006 - typer copies it
    tables: Annotated[bool, typer.Option("--tables", help="List all tables, what they hold and how many rows.")] = False,
    describe: Annotated[str | None, typer.Option(help="Show what the columns of a table mean.", autocompletion=complete_table)] = None,
    dictionary: Annotated[bool, typer.Option("--dictionary", help="Write what all tables and columns mean, as Markdown.")] = False,
    format: Annotated[Format, typer.Option(help="How to write the result.")] = Format.table,  # noqa: A002 - the option's name
    output: Annotated[Path | None, typer.Option(help="File to write instead of standard output.")] = None,
    max_rows: Annotated[
        int | None, typer.Option(min=0, help=f"Rows to show, 0 for all; by default {DEFAULT_LIMITS.rows} in a table, all in other formats.")
    ] = None,
    max_seconds: Annotated[float, typer.Option(min=0.1, help="Time the query may take.")] = DEFAULT_LIMITS.seconds,
    max_memory: Annotated[float, typer.Option(min=0.1, help="Memory the query may take, in GB.")] = DEFAULT_LIMITS.memory_gb,
) -> None:
    """Ask eve.duckdb a question, read-only; without one, open a prompt, or list the named queries where there is no terminal."""
    if sum([query is not None, named is not None, tables, describe is not None, dictionary]) > 1:
        raise EveError("There are two questions", "Give a query, --named, --tables, --describe or --dictionary alone.")
    if output and format is Format.table and not dictionary:
        raise EveError("A table is for the terminal", "Give --format csv, json or parquet with --output.")
    by_default = DEFAULT_LIMITS.rows if format is Format.table else None
    settings, limits = Settings(), Limits(max_seconds, max_memory, by_default if max_rows is None else max_rows or None)
    values = dict(_parameter(text) for text in parameter)
    if dictionary:
        _write_dictionary(output, settings)
    elif tables or describe is not None:
        _write(_described(describe, settings), format, output)
    elif query is not None:
        _answer(query, {name: _number_or_text(value) for name, value in values.items()}, limits, settings, format, output)
    elif named is not None:
        _answer_named(named, values, limits, settings, format, output)
    elif sys.stdin.isatty() and sys.stdout.isatty():
        _prompt(limits, settings)
    else:
        found = _named_queries(settings).values()
        show(pl.DataFrame([{"query": q.name, "parameters": ", ".join(q.parameters), "answers": q.question} for q in found]))


def _answer(
    query: str, values: Mapping[str, object], limits: Limits, settings: Settings, form: Format = Format.table, output: Path | None = None
) -> None:
    from eve_pipeline.warehouse.query import ask

    rows, is_cut = ask(_database(settings), query, values, limits)
    _write(rows, form, output)
    note = f"Only the first {limits.rows:,} rows; --max-rows 0 gives all." if is_cut else "" if rows.height else "No rows."
    if note:
        Console(stderr=True).print(note, highlight=False)


def _answer_named(
    name: str, values: Mapping[str, str], limits: Limits, settings: Settings, form: Format = Format.table, output: Path | None = None
) -> None:
    from eve_pipeline.warehouse.query import named_query

    query = named_query(name, settings)
    _answer(query.sql, query.with_values(values), limits, settings, form, output)


def _prompt(limits: Limits, settings: Settings) -> None:
    from eve_pipeline.commands.sql_prompt import prompt
    from eve_pipeline.warehouse.dictionary import tables

    questions = {query.name: query.question for query in _named_queries(settings).values()}

    def answer(statement: str) -> None:
        first, *others = statement.split()
        if first in questions:
            _answer_named(first, dict(_parameter(text) for text in others), limits, settings)
        else:
            _answer(statement, {}, limits, settings)

    prompt(answer, tables(_database(settings)), questions, settings)


def _described(name: str | None, settings: Settings) -> pl.DataFrame:
    """Return all tables with what they hold, or the columns of one."""
    from eve_pipeline.warehouse.dictionary import pick_table, row_counts, tables

    known = tables(_database(settings))
    if name is not None:
        return pl.DataFrame([column._asdict() for column in pick_table(name, known).columns])
    counts = row_counts(_database(settings), known.values())
    return pl.DataFrame([{"table": key, "rows": counts[key], "holds": table.meaning} for key, table in known.items()])


def _write_dictionary(output: Path | None, settings: Settings) -> None:
    from eve_pipeline.warehouse.dictionary import page, tables

    text = page(tables(_database(settings)), settings)
    if output:
        _write_file(text.encode(), output)
    else:
        sys.stdout.write(text)


def _database(settings: Settings) -> Path:
    from eve_pipeline.warehouse.paths import Warehouse

    return Warehouse.of(settings).database


def _named_queries(settings: Settings) -> "dict[str, NamedQuery]":
    from eve_pipeline.warehouse.query import named_queries

    return named_queries(settings)


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise EveError(f"{text!r} is not NAME=VALUE", "Write, for example, -p prompt=explanation.")
    return name, value


def _number_or_text(value: str) -> str | int | float:
    """Return a value for a parameter of which nothing is known: a number where it is written as one, else the text."""
    if NUMBER.fullmatch(value):
        return float(value) if "." in value else int(value)
    return value


def _as_json(value: object) -> str:
    plain = value.to_list() if isinstance(value, pl.Series) else value
    return json.dumps(plain, default=str)


def _write(frame: pl.DataFrame, form: Format, output: Path | None) -> None:
    if form is Format.table:
        show(frame)
        return
    content = io.BytesIO()
    if form is Format.csv:
        plain = frame.with_columns(cs.nested().map_elements(_as_json, return_dtype=pl.String), cs.binary().bin.encode("hex"))
        plain.write_csv(content)
    elif form is Format.json:
        frame.with_columns(cs.binary().bin.encode("hex"), cs.by_dtype(pl.Decimal(38, 0)).cast(pl.Int128)).write_json(content)
    else:
        frame.write_parquet(content)
    if output:
        _write_file(content.getvalue(), output)
    else:
        sys.stdout.buffer.write(content.getvalue())


def _write_file(content: bytes, output: Path) -> None:
    try:
        with replacing(output) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise unwritable(output, error) from error
