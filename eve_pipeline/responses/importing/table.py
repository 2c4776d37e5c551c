"""Tables: CSV with any usual delimiter, JSON Lines, and JSON files that hold a list of records."""

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from eve_pipeline.errors import EveError
from eve_pipeline.responses.importing.rows import Columns, Row, choose, field

DELIMITERS = ",;\t|"
LOOKED_AT = 100
"""Records whose fields are looked at to guess columns."""

Record = tuple[int, Mapping[str, Any] | str]
"""A record with its number, or in its place what is wrong with it."""


def read_csv(file: Path, columns: Columns) -> Iterator[Row]:
    """Yield a row a line; a line with another number of cells than the header is a row with a problem.

    Raises:
        EveError: there is no header, the columns are not found, or a quote is never closed.
    """
    csv.field_size_limit(sys.maxsize)  # replies may be long
    with file.open(encoding="utf-8-sig", newline="") as text:
        first = text.readline()
        text.seek(0)
        lines = csv.reader(text, delimiter=max(DELIMITERS, key=first.count), strict=True)
        try:
            header = next(lines, [])
            chosen = choose(columns, header, str(file))
            places = [header.index(name) if name is not None else None for name in chosen]
            for cells in lines:
                if not cells:
                    continue
                if len(cells) != len(header):
                    yield Row(lines.line_num, problem=f"{len(cells)} cells, the header has {len(header)}")
                    continue
                yield Row.of(lines.line_num, *(None if place is None else cells[place] for place in places))
        except csv.Error as error:
            raise EveError(
                f"{file}, up to line {lines.line_num}: {error}", "Close the quotes of that line, and double those within."
            ) from error


def read_records(file: Path, columns: Columns) -> Iterator[Row]:
    """Yield a row a record of a JSON Lines file or of a JSON list; a damaged line is a row with a problem.

    Raises:
        EveError: no record is an object, or the columns are not found.
    """
    first = list(islice(records(file), LOOKED_AT))
    found = dict.fromkeys(name for _, record in first if isinstance(record, Mapping) for name in paths(record))
    chosen = choose(columns, [*found, *(name for name in columns if name and name not in found and _has(first, name))], str(file))
    for number, record in records(file):
        if isinstance(record, str):
            yield Row(number, problem=record)
        else:
            yield Row.of(number, *(None if name is None else field(record, name) for name in chosen))


def records(file: Path) -> Iterator[Record]:
    """Yield the records of a JSON Lines file, or of a file that is one JSON list."""
    with file.open(encoding="utf-8-sig") as text:
        start = text.read(LOOKED_AT).lstrip()
        text.seek(0)
        if start.startswith("["):
            yield from _listed(text.read(), file)
            return
        for number, line in enumerate(text, 1):
            if line.strip():
                yield number, _parsed(line)


def paths(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of a record's fields, and of the fields of its records as `doc.file`."""
    for name, value in record.items():
        yield name
        if isinstance(value, Mapping):
            yield from (f"{name}.{inner}" for inner in value)


def _has(records: list[Record], name: str) -> bool:
    return any(field(record, name) is not None for _, record in records if isinstance(record, Mapping))


def _listed(text: str, file: Path) -> Iterator[Record]:
    try:
        items = json.loads(text)
    except ValueError as error:
        raise EveError(f"{file} starts as a JSON list, but is none: {error}", "Mend it, or write one record a line.") from error
    for number, item in enumerate(items, 1):
        yield number, item if isinstance(item, Mapping) else "not a JSON object"


def _parsed(line: str) -> Mapping[str, Any] | str:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"damaged JSON: {error}"
    return record if isinstance(record, Mapping) else "not a JSON object"
