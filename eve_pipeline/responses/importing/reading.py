"""Find out what another tool's file is, and read it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from eve_pipeline.errors import EveError
from eve_pipeline.responses.importing import inspect_ai, lmms_eval, table
from eve_pipeline.responses.importing.rows import Columns, Row, to_frame

LOOKED_AT_BYTES = 65_536
ZIP = b"PK\x03\x04"


def read_rows(file: Path, columns: Columns) -> pl.DataFrame:
    """Return the rows of a file (fields of `Row`) in its order; the columns not named are guessed.

    Raises:
        EveError: it cannot be read, is no text in UTF-8, is of no known kind, or lacks the columns.
    """
    try:
        return to_frame(_rows(file, columns))
    except UnicodeDecodeError as error:
        raise EveError(f"{file} is no text in UTF-8: {error}", "Save it as CSV, JSON or JSON Lines in UTF-8.") from error
    except OSError as error:
        raise EveError(f"{file} cannot be read: {error}", "Give the path of a file.") from error


def _rows(file: Path, columns: Columns) -> Iterator[Row]:
    with file.open("rb") as raw:
        start = raw.read(LOOKED_AT_BYTES)
    if start.startswith(ZIP):
        return inspect_ai.read_eval(file, columns)
    if b"\0" in start:
        raise EveError(f"{file} is no text in UTF-8", "Save it as CSV, JSON or JSON Lines in UTF-8; .eval logs of inspect_ai are read too.")
    if not start.strip():
        raise EveError(f"{file} is empty", "Give a file with rows.")
    if start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] not in b"{[":
        return table.read_csv(file, columns)
    return _json_rows(file, columns)


def _json_rows(file: Path, columns: Columns) -> Iterator[Row]:
    first = next((record for _, record in table.records(file)), "")
    if isinstance(first, str) and isinstance(whole := _document(file), Mapping):  # not one a line
        if not inspect_ai.is_log(whole):
            raise EveError(f"{file} is one JSON document, but no log of inspect_ai", "Write its records as a list, or one a line.")
        return inspect_ai.read_json(file, columns)
    if inspect_ai.is_log(first):
        return inspect_ai.read_json(file, columns)
    return lmms_eval.read(file, columns) if lmms_eval.is_log(first) else table.read_records(file, columns)


def _document(file: Path) -> object:
    """Return the whole file as one JSON document, None where it is none."""
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError:
        return None
