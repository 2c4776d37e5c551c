"""What a reader of another tool's file yields, and which columns it looks for."""

import json
import math
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple, Self

import polars as pl

from eve_pipeline.errors import EveError

IMAGE_NAMES = (
    "image_id", "image", "image_path", "image_file", "image_name", "img_id", "img_path", "img", "path", "file_path", "filepath", "file",
    "file_name", "filename", "picture", "photo",
)  # fmt: skip
RESPONSE_NAMES = (
    "response",
    "raw_response",
    "reply",
    "raw_output",
    "output",
    "model_output",
    "completion",
    "generated_text",
    "raw",
    "text",
)
LABEL_NAMES = ("prediction", "predicted", "predicted_label", "predicted_emotion", "pred", "emotion", "label")
NO_RESPONSE = "the imported file has no response here"
ROWS_A_PIECE = 50_000
NOTHING = {"", "nan", "none", "null", "n/a", "<na>"}


class Columns(NamedTuple):
    """Which column of a file, or field of its records (`doc.file`), names the image and holds the response or the label."""

    image: str | None = None
    response: str | None = None
    label: str | None = None


class Row(NamedTuple):
    """One row of another tool's file: a reply or a label about an image, or what is wrong with the row.

    `number` is its line, or its place among the records, from 1. The other fields are those of table `responses`.
    """

    number: int
    image: str | None = None
    text: str | None = None
    label: str | None = None
    problem: str | None = None
    delivery: str = "received"
    error: str | None = None
    finish_reason: str | None = None
    served_model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    latency_ms: float | None = None

    @classmethod
    def of(cls, number: int, image: object, text: object = None, label: object = None) -> Self:
        """Return the row of three values as they stand in a file; without a response or a label it is an error, not an answer."""
        said, chosen = as_text(text), as_text(label)
        if chosen is not None and chosen.strip().casefold() in NOTHING:
            chosen = None
        if chosen is None and not (said and said.strip()):
            return cls(number, as_name(image), delivery="error", error=NO_RESPONSE)
        return cls(number, as_name(image), said, chosen)


SCHEMA = dict.fromkeys(Row._fields, pl.String) | {
    "number": pl.Int64, "prompt_tokens": pl.Int64, "completion_tokens": pl.Int64, "latency_ms": pl.Float64,
}  # fmt: skip


def to_frame(rows: Iterable[Row]) -> pl.DataFrame:
    """Return the rows as a frame of their fields, made piece by piece, so that a million rows need little more than their frame."""
    left = iter(rows)
    pieces = iter(lambda: list(islice(left, ROWS_A_PIECE)), [])
    return pl.concat([pl.DataFrame(schema=SCHEMA), *(_frame(piece) for piece in pieces)])


def _frame(rows: list[Row]) -> pl.DataFrame:
    columns = zip(SCHEMA.items(), zip(*rows, strict=True), strict=True)
    return pl.DataFrame([pl.Series(name, column, kind, strict=False) for (name, kind), column in columns])


def as_text(value: object) -> str | None:
    """Return a value of a file as text: JSON for objects and lists, None for null and NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()  # a lone surrogate can be in JSON, but in no file


def as_name(value: object) -> str | None:
    """Return the name of an image as text, None for an empty one."""
    text = as_text(value)
    return (text.strip() or None) if text is not None else None


def field(record: Mapping[str, Any], path: str) -> object:
    """Return the value at `a.b.c` in nested records, None where there is none; a key may hold dots itself."""
    if path in record:
        return record[path]
    head, _, rest = path.partition(".")
    inside = record.get(head)
    return field(inside, rest) if rest and isinstance(inside, Mapping) else None


def choose(columns: Columns, found: Collection[str], source: str) -> Columns:
    """Return the columns to read: those that were named, else the first found of the usual names; no label beside a response.

    Raises:
        EveError: a named column is not there or is there twice, or none has a usual name; the columns found are listed.
    """
    if columns.response and columns.label:
        raise EveError(
            "A response and a label are one too many", "Give --response-column or --label-column; a response is read for its label."
        )
    image = _one(columns.image, IMAGE_NAMES, found, source)
    response = None if columns.label else _one(columns.response, RESPONSE_NAMES, found, source)
    label = None if response else _one(columns.label, LABEL_NAMES, found, source)
    if image is None:
        raise unknown("image or image_id", "--image-column", found, source)
    if response is None and label is None:
        raise unknown("response or label", "--response-column or --label-column", found, source)
    return Columns(image, response, label)


def _one(named: str | None, usual: tuple[str, ...], found: Collection[str], source: str) -> str | None:
    spellings = {name.strip().casefold(): name for name in reversed(list(found))}
    chosen = named if named in found else spellings.get(named.casefold()) if named else None
    chosen = chosen or next((spellings[name] for name in usual if not named and name in spellings), None)
    if named and chosen is None:
        raise unknown(named, "another column", found, source)
    if chosen is not None and sum(name.strip().casefold() == chosen.strip().casefold() for name in found) > 1:
        raise EveError(f"{source} has several columns {chosen!r}", "Rename all but one of them.")
    return chosen


def unknown(what: str, option: str, found: Collection[str], source: str) -> EveError:
    """Return the error that lists the columns found and names the option that says which to read."""
    return EveError(f"{source} has no column {what}; found: {', '.join(map(repr, found)) or 'none'}", f"Name it with {option}.")
