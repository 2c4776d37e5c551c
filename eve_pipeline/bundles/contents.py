"""A frame as a file of a bundle, Parquet or CSV, and back."""

import io
import json
from typing import Literal

import polars as pl

Format = Literal["parquet", "csv"]
INSTANT = "%Y-%m-%dT%H:%M:%S%.6f%z"


def to_bytes(frame: pl.DataFrame, file_format: Format) -> bytes:
    """Return a frame as a file; in CSV, lists and structures are JSON, instants are ISO 8601, and an empty field is NULL."""
    stream = io.BytesIO()
    if file_format == "parquet":
        frame.write_parquet(stream)
    else:
        _flat(frame).write_csv(stream)
    return stream.getvalue()


def from_bytes(content: bytes, file_format: Format, schema: pl.Schema) -> pl.DataFrame:
    """Return the frame in a file; CSV is read as the types of `schema`, and columns that it does not know as text.

    Raises:
        polars.exceptions.PolarsError: it is not such a file, or a value is not of its column's type.
    """
    if file_format == "parquet":
        return pl.read_parquet(io.BytesIO(content))
    texts = pl.read_csv(io.BytesIO(content), infer_schema=False)
    return texts.select(_parsed(texts[name], schema.get(name, pl.String())) for name in texts.columns)


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(_flat_column(column) for column in frame)


def _flat_column(column: pl.Series) -> pl.Series:
    if column.dtype.is_nested():
        return as_json(column)
    return column.dt.strftime(INSTANT) if isinstance(column.dtype, pl.Datetime) else column


def as_json(column: pl.Series) -> pl.Series:
    """Return lists or structures as JSON texts."""
    texts = [None if value is None else json.dumps(value, ensure_ascii=False) for value in column.to_list()]
    return pl.Series(column.name, texts, pl.String)


def _parsed(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    if dtype.is_nested():
        return pl.Series(column.name, [None if text is None else json.loads(text) for text in column], dtype)
    if isinstance(dtype, pl.Datetime):
        instants = column.str.to_datetime(INSTANT, time_unit=dtype.time_unit, time_zone="UTC")
        return instants.dt.convert_time_zone(dtype.time_zone or "UTC")
    if dtype == pl.Boolean:
        return column.replace_strict({"true": True, "false": False}, return_dtype=pl.Boolean)
    return column.cast(dtype)
