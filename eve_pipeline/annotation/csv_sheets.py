"""Sheets as CSV, for spreadsheet programs, which read a cell that begins with =, +, - or @ as a formula unless it is marked as text."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from eve_pipeline.annotation.rows import FIELDS, Row
from eve_pipeline.errors import EveError

COLUMNS = ("task", "image", "first", "second", "choice", "confidence", "comment")
MARKED = re.compile(r"'*[=+\-@\t\r\n]")
LONGEST_CELL = 2**20


def write(rows: pl.DataFrame, folder: Path) -> Path:
    """Write `sheet.csv`; the columns choice, confidence and comment are to be filled in."""
    file = folder / "sheet.csv"
    with file.open("w", newline="", encoding="utf-8-sig") as stream:  # the mark tells spreadsheet programs the encoding
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows([marked(value) for value in row] for row in rows.select(COLUMNS).iter_rows())
    return file


def read(file: Path) -> Iterator[Row]:
    """Yield the rows of a sheet, with the line of the file where each ends; separated by commas, semicolons or tabs.

    Raises:
        EveError: the file cannot be read, or lacks a column.
    """
    csv.field_size_limit(LONGEST_CELL)
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            header = stream.readline()
            stream.seek(0)
            reader = csv.DictReader(stream, delimiter=max(",;\t", key=header.count), restval="")
            if absent := [name for name in FIELDS if name not in (reader.fieldnames or ())]:
                raise EveError(f"{file} has no column {', '.join(absent)}", f"A sheet has the columns {', '.join(COLUMNS)}.")
            for cells in reader:
                problem = "it has more cells than the header" if None in cells else ""
                yield Row(reader.line_num, {name: unmarked(cells[name]) for name in FIELDS}, problem)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EveError(f"{file} cannot be read: {error}", "Save it as CSV in UTF-8.") from error


def marked(value: object) -> str:
    """Return a value as text that no spreadsheet program runs."""
    text = "" if value is None else str(value)
    return f"'{text}" if MARKED.match(text) else text


def unmarked(text: str) -> str:
    """Return what `marked` was given."""
    return text[1:] if text.startswith("'") and MARKED.match(text) else text
