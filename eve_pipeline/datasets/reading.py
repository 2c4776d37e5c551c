"""Steps that readers share: find files, spell labels, check ratings. What they return is a `Reading`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from eve_pipeline.datasets.registry import DatasetEntry
from eve_pipeline.emotions.label_sets import Labels
from eve_pipeline.errors import EveError

_SIDE_SUFFIXES = frozenset({".csv", ".json", ".md", ".parquet", ".rtf", ".txt", ".yaml"})
_LISTED = 8


class Reading(NamedTuple):
    """What a reader found.

    `images` has path (relative to the dataset's root) and whatever the reader knows of image_id, label, label_status, votes, n_votes,
    valence, arousal, rating_min, rating_max, neutral_band, split and attributes; `rejected` has path, reason and detail.
    """

    images: pl.DataFrame
    rejected: pl.DataFrame


def rejections(frame: pl.DataFrame, reason: str, detail: pl.Expr) -> pl.DataFrame:
    """Return path, reason and detail for the rows of a frame that has `path`."""
    return frame.select("path", reason=pl.lit(reason, pl.String), detail=detail.cast(pl.String))


def found_in(folder: Path) -> str:
    """Return what a folder holds, in words."""
    if not folder.is_dir():
        return f"no folder {folder}"
    names = sorted(path.name for path in folder.iterdir())
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{folder} with {', '.join(names[:_LISTED])}{more}" if names else f"an empty folder {folder}"


def require_file(path: Path, what: str) -> Path:
    """Return the path of a file that exists; `EveError` says what was expected and found."""
    if not path.is_file():
        found = found_in(path if path.is_dir() else path.parent)
        raise EveError(f"Expected {what} at {path}; found {found}", "Correct the dataset's path.")
    return path


def image_files(folder: Path, layout: str) -> list[str]:
    """Return the files below a folder, relative to it, in order, but for hidden files, tables, notes and what archivers leave behind.

    Whatever its suffix, a file may be an image; one that is none, and a link to a folder, which is not followed, is for verification to
    name.

    Raises:
        EveError: there is no such folder, or no such file in it; `layout` says what was expected.
    """
    files = [path.relative_to(folder) for path in folder.rglob("*") if _may_be_image(path)] if folder.is_dir() else []
    names = sorted(file.as_posix() for file in files if not any(part.startswith((".", "__MACOSX")) for part in file.parts))
    if not names:
        found = found_in(folder if folder.exists() else folder.parent)
        raise EveError(f"Expected {layout} in {folder}; found {found}", "Correct the dataset's path.")
    return names


def _may_be_image(path: Path) -> bool:
    name = path.name.lower()
    if name.startswith("readme") or name == "thumbs.db" or path.suffix.lower() in _SIDE_SUFFIXES:
        return False
    return path.is_symlink() or not path.is_dir()


def spell_labels(frame: pl.DataFrame, labels: Labels, synonyms: Mapping[str, str] | None = None) -> Reading:
    """Spell the names in column `label` as the label list does, whatever their case, and add `label_status`.

    A NULL stays without a label; rows whose name is neither a label nor a synonym of one are rejected as 'unknown label'.
    """
    spelling = {label.casefold(): label for label in labels}
    spelling |= {name: spelling[label] for name, label in (synonyms or {}).items() if name not in spelling and label in spelling}
    named = pl.col("label").str.strip_chars().str.to_lowercase()
    spelled = frame.with_columns(_label=named.replace_strict(spelling, default=None, return_dtype=pl.String))
    is_unknown = pl.col("label").is_not_null() & pl.col("_label").is_null()
    detail = pl.format("'{}' is none of the labels {}", "label", pl.lit(", ".join(labels)))
    images = spelled.filter(~is_unknown).with_columns(label="_label", label_status=label_status("_label")).drop("_label")
    return Reading(images, rejections(spelled.filter(is_unknown), "unknown label", detail))


def label_status(label: str) -> pl.Expr:
    """Return 'single' where the column has a label, else 'none'."""
    return pl.when(pl.col(label).is_not_null()).then(pl.lit("single")).otherwise(pl.lit("none"))


def require_within(frame: pl.DataFrame, columns: Sequence[str], low: float, high: float) -> None:
    """Raise `EveError` naming the `path` of the first row whose number lies outside [low, high]; NULL is none."""
    for column in columns:
        wrong = frame.filter(~pl.col(column).is_between(low, high))
        for path, value in wrong.select("path", column).iter_rows():
            raise EveError(
                f"{column} of {path!r} is {value}, outside {low:g} to {high:g} ({wrong.height} such rows)",
                "Correct the file, or the dataset's rating_scale where the scale is another one.",
            )


def with_rating_scale(frame: pl.DataFrame, entry: DatasetEntry) -> pl.DataFrame:
    """Add rating_min, rating_max and neutral_band to a frame that has valence or arousal; return any other as it is.

    Raises:
        EveError: the entry has no `rating_scale`, or a rating lies outside it.
    """
    rated = [column for column in ("valence", "arousal") if column in frame.columns]
    if not rated:
        return frame
    if entry.rating_scale is None:
        raise EveError(
            f"Dataset {entry.key!r} has ratings ({', '.join(rated)}) but no rating_scale to read them by",
            "Say what the lowest and highest point are: --rating-scale 1 7, or rating_scale: [1, 7] in a dataset.yaml beside the file.",
        )
    low, high = entry.rating_scale
    require_within(frame, rated, low, high)
    return frame.with_columns(rating_min=pl.lit(low), rating_max=pl.lit(high), neutral_band=pl.lit(entry.neutral_band))
