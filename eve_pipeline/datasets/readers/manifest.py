"""A user's own table, CSV or Parquet, that lists images and what people said of them.

Columns: `image` (relative to the table's folder), and any of `label`, `valence`, `arousal`, `split` and votes. Votes are either a column
`votes` of JSON objects, `{"fear": 9, "awe": 5}`, or one column per label; counts, shares or percentages. A given label goes before
the votes; empty, NA and nan are none. Case and spaces around a column's name do not matter. All other columns are kept as JSON in
`attributes`.
"""

import json
from pathlib import Path

import polars as pl

from eve_pipeline.datasets.reading import Reading, require_file, spell_labels, with_rating_scale
from eve_pipeline.datasets.registry import DatasetEntry
from eve_pipeline.datasets.votes import tally
from eve_pipeline.emotions.label_sets import Labels
from eve_pipeline.errors import EveError

DEFAULT_LABELS = "mikels"
_TYPES = {"image": pl.String, "label": pl.String, "valence": pl.Float64, "arousal": pl.Float64, "split": pl.String}
_NO_LABEL = ("", "na", "nan")
_PATH = pl.col("image").alias("path")


def read(location: Path, entry: DatasetEntry, labels: Labels) -> Reading:
    """Read a table of images; rows whose label is not in the list are rejected.

    Raises:
        EveError: there is no such file, it has no column `image`, a number or vote is not possible, or ratings have no scale.
    """
    table = _read_table(require_file(location, "a CSV or Parquet table of images"), labels)
    known = [name for name in table.columns if name in _TYPES and name != "image"]
    images = with_rating_scale(table.select(_PATH, *known), entry)
    voted = tally(_votes(table, labels)).rename({"label": "voted", "label_status": "voted_status"})
    images, rejected = spell_labels(pl.concat([images, _attributes(table, labels), voted.drop("path")], how="horizontal"), labels)
    status = pl.when(pl.col("label").is_null()).then("voted_status").otherwise("label_status")
    chosen = images.with_columns(label=pl.coalesce("label", "voted"), label_status=status)
    return Reading(chosen.drop("voted", "voted_status"), rejected)


def _read_table(file: Path, labels: Labels) -> pl.DataFrame:
    """Return the file with a column `label`, the known columns typed and the labels' columns spelled as in the list."""
    spelling = {name.casefold(): name for name in (*labels, "votes", *_TYPES)}
    types = _TYPES | dict.fromkeys(labels, pl.Float64)
    try:
        table = _open(file).rename(lambda name: spelling.get(_folded(name), name))
        table = table.with_columns(pl.col(name).cast(dtype) for name, dtype in types.items() if name in table.columns)
    except pl.exceptions.PolarsError as error:
        raise EveError(f"{file} cannot be read: {error}", "Correct the file; it must be CSV in UTF-8 or Parquet.") from error
    if "image" not in table.columns:
        raise EveError(f"Expected a column 'image' in {file}; found {', '.join(table.columns)}", "Name the column of image files 'image'.")
    if table["image"].has_nulls():
        raise EveError(f"Row {table['image'].is_null().arg_max()} of {file} (from 0) has no image", "Give every row an image.")
    label = pl.col("label") if "label" in table.columns else pl.lit(None, pl.String)
    return table.with_columns(label=pl.when(~label.str.strip_chars().str.to_lowercase().is_in(_NO_LABEL)).then(label))


def _folded(column: str) -> str:
    return column.strip().casefold()


def _open(file: Path) -> pl.DataFrame:
    if file.suffix.lower() == ".parquet":
        return pl.read_parquet(file)
    names = pl.read_csv(file, n_rows=0).columns
    texts = {name: pl.String for name in names if _TYPES.get(_folded(name)) == pl.String}
    return pl.read_csv(file, infer_schema_length=None, schema_overrides=texts)


def _attributes(table: pl.DataFrame, labels: Labels) -> pl.DataFrame:
    others = [name for name in table.columns if name not in {"votes", *_TYPES, *labels}]
    return table.select(attributes=pl.struct(others).struct.json_encode()) if others else pl.DataFrame()


def _votes(table: pl.DataFrame, labels: Labels) -> pl.DataFrame:
    """Return path and one column per label, NULL without a vote."""
    if "votes" not in table.columns:
        absent = (pl.lit(None, pl.Float64).alias(label) for label in labels if label not in table.columns)
        return table.with_columns(*absent).select(_PATH, *labels)
    is_struct = isinstance(table.schema["votes"], pl.Struct)
    texts = table.select(_PATH, pl.col("votes").struct.json_encode() if is_struct else pl.col("votes"))
    rows = [{"path": path, **_parse_votes(text, path, labels)} for path, text in texts.iter_rows()]
    return pl.DataFrame(rows, schema={"path": pl.String} | dict.fromkeys(labels, pl.Float64))


def _parse_votes(text: str | None, path: str, labels: Labels) -> dict[str, float]:
    spelling = {label.casefold(): label for label in labels}
    try:
        votes = json.loads(text) if text else {}
        return {spelling[label.casefold()]: float(vote) for label, vote in votes.items() if vote is not None}
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise EveError(
            f"The votes of {path!r} cannot be read: {text!r}",
            f'Write a JSON object of labels and numbers, as in {{"{labels[0]}": 9}}; the labels are {", ".join(labels)}.',
        ) from error
