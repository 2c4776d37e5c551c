"""Steps that readers share: find files, spell labels, check ratings. What they return is a `Reading`."""

import os
from collections.abc import Iterator, Mapping, Sequence
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
    names = sorted(printable(path.name) for path in folder.iterdir())
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{folder} with {', '.join(names[:_LISTED])}{more}" if names else f"an empty folder {folder}"


def printable(name: str) -> str:
    """Return a file's name with the bytes that are not UTF-8 as hex escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def require_file(path: Path, what: str) -> Path:
    """Return the path of a file that exists; `EveError` says what was expected and found."""
    if not path.is_file():
        found = found_in(path if path.is_dir() else path.parent)
        raise EveError(f"Expected {what} at {path}; found {found}", "Correct the dataset's path.")
    return path


def image_files(folder: Path, layout: str) -> Reading:
    """Return, in order, the files below a folder but for hidden files, tables, notes and what archivers leave behind.

    Whatever its suffix, a file may be an image; one that is none, and a link to a folder, which is not followed, is for verification to
    name.

    Returns:
        images with path (relative to the folder) alone; files whose name is not UTF-8, which no table can hold, are rejected.

    Raises:
        EveError: there is no such folder, or no such file in it (`layout` says what was expected), or a folder in it cannot be listed.
    """
    names = sorted(_relative_files(folder))
    if not names:
        found = found_in(folder if folder.exists() else folder.parent)
        raise EveError(f"Expected {layout} in {folder}; found {found}", "Correct the dataset's path.")
    odd = [name for name in names if not is_text(name)]
    rejected = pl.DataFrame({"path": [printable(name) for name in odd]}, schema={"path": pl.String})
    detail = pl.lit("the name of the file is not UTF-8; rename it")
    return Reading(
        pl.DataFrame({"path": [name for name in names if is_text(name)]}, schema={"path": pl.String}),
        rejections(rejected, "unreadable name", detail),
    )


def _relative_files(folder: Path) -> Iterator[str]:
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        place = os.path.relpath(parent, folder)
        links = [name for name in folders if os.path.islink(f"{parent}/{name}")]  # noqa: PTH114 - a hundred thousand times
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        for name in (*files, *links):
            if _may_be_image(name):
                yield name if place == "." else f"{place}/{name}"


def _refuse(error: OSError) -> None:
    """Stop at a folder that cannot be listed, whose files would be skipped in silence; one that is not there is named elsewhere."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise EveError(f"The folder {error.filename} cannot be listed: {error.strerror}", "Make it readable, or move it away.") from error


def _may_be_image(name: str) -> bool:
    lower = name.lower()
    is_note = lower.startswith((".", "__macosx", "readme")) or lower == "thumbs.db"
    return not is_note and os.path.splitext(lower)[1] not in _SIDE_SUFFIXES  # noqa: PTH122 - a hundred thousand times


def is_text(name: str) -> bool:
    """Whether a name can be written in UTF-8, as tables hold it."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def match_files(rows: pl.DataFrame, files: Reading, lists: str) -> Reading:
    """Spell column `path` of an annotation table as the files on disk are spelled, whatever its case.

    Args:
        rows: path, and any other columns; a path without a file stays as it is, for verification to name.
        files: what `image_files` returned.
        lists: name of the annotation table; files that it does not list are rejected as 'nothing usable'.
    """
    on_disk = files.images.select(_key=pl.col("path").str.to_lowercase(), _file="path").unique("_key", keep="first", maintain_order=True)
    joined = rows.with_columns(_key=pl.col("path").str.to_lowercase()).join(on_disk, on="_key", how="left", maintain_order="left")
    is_exact = pl.col("path").is_in(files.images["path"].implode())
    path = pl.when(is_exact).then("path").otherwise(pl.coalesce("_file", "path"))
    images = joined.with_columns(path=path).drop("_key", "_file")
    unlisted = files.images.join(images, on="path", how="anti", maintain_order="left")
    return Reading(images, pl.concat([files.rejected, rejections(unlisted, "nothing usable", pl.lit(f"not listed in {lists}"))]))


def spell_labels(frame: pl.DataFrame, labels: Labels, synonyms: Mapping[str, str] | None = None) -> Reading:
    """Spell the names in column `label` as the label list does, whatever their case, and add `label_status`.

    A NULL stays without a label; rows whose name is neither a label nor a synonym of one are rejected as 'unknown label'.
    """
    spelling = spellings(labels, synonyms or {})
    named = pl.col("label").str.strip_chars().str.to_lowercase()
    spelled = frame.with_columns(_label=named.replace_strict(spelling, default=None, return_dtype=pl.String))
    is_unknown = pl.col("label").is_not_null() & pl.col("_label").is_null()
    detail = pl.format("'{}' is none of the labels {}", "label", pl.lit(", ".join(labels)))
    images = spelled.filter(~is_unknown).with_columns(label="_label", label_status=label_status("_label")).drop("_label")
    return Reading(images, rejections(spelled.filter(is_unknown), "unknown label", detail))


def spellings(labels: Labels, synonyms: Mapping[str, str]) -> dict[str, str]:
    """Return the label that each name in lower case stands for: its own and, where no label is named so, its synonyms'."""
    spelling = {label.casefold(): label for label in labels}
    return spelling | {name: spelling[label] for name, label in synonyms.items() if name not in spelling and label in spelling}


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
