"""What every table and column of the published database means, from the comments that contracts and dbt leave in it."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from eve_pipeline.errors import EveError
from eve_pipeline.settings import PROJECT, Settings
from eve_pipeline.warehouse.query import run_query

SCHEMAS = {
    "marts": "Scores and figures: where most questions are answered.",
    "raw": "The warehouse's Parquet files, as they were written.",
    "seeds": "Tables that come with the program.",
    "staging": "What is asked today, cleaned and typed.",
    "intermediate": "Steps between the answers and the scores.",
}
COLUMNS = """
    with tables as (
        select schema_name, table_name, comment from duckdb_tables() where not internal
        union all
        select schema_name, view_name, comment from duckdb_views() where not internal
    )
    select tables.schema_name, tables.table_name, tables.comment, columns.column_name, columns.data_type, columns.comment
    from tables
    inner join duckdb_columns() as columns using (schema_name, table_name)
    order by list_position($schemas, schema_name), table_name, columns.column_index
"""


class Column(NamedTuple):
    """A column, its DuckDB type, and what it means; the meaning names the unit."""

    name: str
    type: str
    meaning: str


class Table(NamedTuple):
    """A table or view, what it means, and its columns."""

    schema: str
    name: str
    meaning: str
    columns: list[Column]

    @property
    def key(self) -> str:
        """The name to read it by, `schema.table`."""
        return f"{self.schema}.{self.name}"


def tables(database: Path) -> dict[str, Table]:
    """Return all tables of a published database by `schema.table`, marts first; a meaning that is missing is empty.

    Raises:
        EveError: there is no database.
    """
    found: dict[str, Table] = {}
    for schema, name, meaning, *column in run_query(database, COLUMNS, {"schemas": list(SCHEMAS)}).iter_rows():
        table = found.setdefault(f"{schema}.{name}", Table(schema, name, _line(meaning), []))
        column_name, kind, column_meaning = column
        table.columns.append(Column(column_name, kind, _line(column_meaning)))
    return found


def pick_table(name: str, known: dict[str, Table]) -> Table:
    """Return a table by `schema.table`, or by its name alone where one schema has it; `EveError` lists the known ones."""
    fitting = [table for table in known.values() if name.lower() in {table.key, table.name}]
    if len(fitting) != 1:
        raise EveError(f"There is no table {name!r}", f"Known: {', '.join(table.key for table in fitting or known.values())}.")
    return fitting[0]


def row_counts(database: Path, known: Iterable[Table]) -> dict[str, int]:
    """Return the number of rows of each table by `schema.table`; one query counts them all."""
    counts = (f"select '{table.key}', count(*) from {table.schema}.\"{table.name}\"" for table in known)  # noqa: S608 - names of tables
    return dict(run_query(database, " union all ".join(counts)).iter_rows())


def page(known: dict[str, Table], settings: Settings) -> str:
    """Return the data dictionary as Markdown, to lie in `docs`."""
    lines = [
        "# Tables",
        "",
        "Every table of `eve.duckdb`, read by `schema.table`. This page is made from the descriptions in a fresh database:",
        "",
        "```sh",
        "eve publish",
        "eve sql --dictionary --output docs/tables.md",
        "```",
        "",
    ]
    for schema, meaning in SCHEMAS.items():
        of_schema = [table for table in known.values() if table.schema == schema]
        lines += [f"## {schema}", "", meaning, "", "| table | what it holds |", "|---|---|"]
        lines += [f"| [{table.name}](#{schema}{table.name}) | {_cell(table.meaning)} |" for table in of_schema]
        lines += ["", *(line for table in of_schema for line in _section(table, settings))]
    return "\n".join(lines).rstrip() + "\n"


def _section(table: Table, settings: Settings) -> list[str]:
    columns = (f"| `{column.name}` | `{_cell(column.type)}` | {_cell(column.meaning)} |" for column in table.columns)
    definition = _definition(table, settings).relative_to(PROJECT).as_posix()
    title = [f"### {table.key}", "", f"{table.meaning} Defined in [{definition}](../{definition}).", ""]
    return [*title, "| column | type | meaning |", "|---|---|---|", *columns, ""]


def _definition(table: Table, settings: Settings) -> Path:
    """Return the file that defines a table: its contract, its SQL or Python model, or its seed."""
    folder = Path(__file__).with_name("contracts") if table.schema == "raw" else settings.dbt_project
    found = sorted(file for kind in ("yaml", "sql", "py", "csv") for file in folder.rglob(f"{table.name}.{kind}"))
    if not found:
        raise EveError(f"Nothing defines {table.key} any more", "Publish again: `eve publish`.")
    return found[0]


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
