"""What can follow in a question that is being typed."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from eve_pipeline.warehouse.dictionary import Column, Table

WORD = re.compile(r"[\w.]*$")
TABLE_COMES = re.compile(r"\b(from|join|describe|summarize)\s+[\w.]*$", re.IGNORECASE)
NAMED_TABLE = re.compile(r"\b(?:from|join)\s+(\w+\.\w+)(?:(?=\s+(?:as\s+)?(\w+)))?", re.IGNORECASE)
TEXT_OR_COMMENT = re.compile(r"'[^']*'|--[^\n]*\n|/\*.*?\*/", re.DOTALL)
KEYWORDS = (
    "select", "distinct", "from", "where", "group by", "group by all", "having", "order by", "by", "limit", "with", "as", "on", "using",
    "inner join", "left join", "cross join", "union all", "except", "intersect", "and", "or", "not", "in", "like", "between", "is null",
    "is not null", "case", "when", "then", "else", "end", "over", "partition by", "filter", "exclude", "asc", "desc", "nulls last",
    "unnest", "count", "sum", "avg", "min", "max", "median", "round", "coalesce", "count_if", "list", "describe", "summarize",
)  # fmt: skip
NO_ALIASES = {word for keyword in KEYWORDS for word in keyword.split()}


class Candidate(NamedTuple):
    """What the word being typed can become, how many of the typed letters it replaces, and what it means."""

    text: str
    n_typed: int
    meaning: str


def complete(before: str, after: str, tables: Mapping[str, Table], questions: Mapping[str, str]) -> list[Candidate]:
    """Return what can follow, the likeliest first.

    Args:
        before: the text up to the cursor.
        after: the text behind it; tables that it names have their columns offered too.
        tables: the tables there are, by `schema.table`.
        questions: what each named query answers; its name can stand for a whole statement.
    """
    code = TEXT_OR_COMMENT.sub(" ", before)
    if "'" in code or "--" in code or "/*" in code:
        return []
    word = WORD.search(code)
    typed = word.group().lower() if word else ""
    is_first = not code.strip() or code.strip().lower() == typed
    named = list(_named_tables(f"{code}{after}", tables))
    offers = [
        *(questions.items() if is_first else ()),
        *_columns(typed, named),
        *_tables(tables.values(), comes_now=bool(TABLE_COMES.search(code)), is_first=is_first, typed=typed),
        *((keyword, "") for keyword in KEYWORDS if typed and not TABLE_COMES.search(code)),
    ]
    return [Candidate(text, len(typed), meaning) for text, meaning in dict(offers).items() if _fits(text.lower(), typed)]


def _fits(text: str, typed: str) -> bool:
    """Whether the text starts as typed; a table also by its name without the schema."""
    return text != typed and (text.startswith(typed) or ("." not in typed and text.rpartition(".")[2].startswith(typed)))


def _named_tables(code: str, tables: Mapping[str, Table]) -> Iterator[tuple[str, Table]]:
    """Yield the tables that are read, each with its alias or own name."""
    for key, alias in NAMED_TABLE.findall(code):
        if table := tables.get(key.lower()):
            yield alias if alias and alias.lower() not in NO_ALIASES else table.name, table


def _columns(typed: str, named: Iterable[tuple[str, Table]]) -> Iterator[tuple[str, str]]:
    qualifier, dot, _ = typed.rpartition(".")
    for alias, table in named:
        if not dot or qualifier in {alias.lower(), table.key}:
            yield from ((f"{qualifier}{dot}{column.name}", _meaning(column)) for column in table.columns)


def _meaning(column: Column) -> str:
    return f"{column.type.lower()}: {column.meaning}"


def _tables(tables: Iterable[Table], *, comes_now: bool, is_first: bool, typed: str) -> Iterator[tuple[str, str]]:
    if comes_now or (typed and not is_first):
        yield from ((table.key, table.meaning) for table in tables)
