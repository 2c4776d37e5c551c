"""EmoSet-118K (Yang et al., ICCV 2023): train.json, val.json and test.json list images and one annotation file each.

Rows are [emotion, image, annotation] or, as its README shows them, [emotion, id, image, annotation]. The numbers of info.json follow
another order than the alphabet and are not used.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl

from eve_pipeline.datasets.reading import Reading, image_files, is_text, match_files, rejections, require_file, spell_labels
from eve_pipeline.datasets.registry import DatasetEntry
from eve_pipeline.emotions.label_sets import Labels
from eve_pipeline.errors import EveError
from eve_pipeline.progress import track

DEFAULT_LABELS = "mikels"
SPLITS = ("train", "val", "test")
_WIDTHS = (3, 4)


class Annotation(NamedTuple):
    """One annotation file: its JSON object and the emotion it names, or why it cannot be read."""

    attributes: str | None = None
    emotion: str | None = None
    reason: str | None = None
    detail: str | None = None


_SCHEMA = dict.fromkeys(Annotation._fields, pl.String)


def read(location: Path, _entry: DatasetEntry, labels: Labels) -> Reading:
    """Read the three split files and all annotations; `attributes` holds an annotation as it is.

    Rejected are images that no split lists, and those whose folder or annotation names another emotion than their split. An annotation
    that cannot be read is rejected itself, under its own path: its image stays, without attributes.

    Raises:
        EveError: a split file or the images are missing, or a row is not as described above.
    """
    files = [require_file(location / f"{split}.json", "EmoSet's list of images") for split in SPLITS]
    rows = pl.concat([_read_split(file) for file in files])
    rows, unlisted = match_files(rows, image_files(location, "image/<emotion>/*.jpg"), ", ".join(file.name for file in files))
    images = pl.concat([rows, _read_annotations(location, rows["annotation"].to_list())], how="horizontal")
    unread = images.filter(pl.col("reason").is_not_null()).select(pl.col("annotation").alias("path"), "reason", "detail")
    images, contradictory = _agreeing(images, labels)
    images, unknown = spell_labels(images.select("path", "label", "split", "attributes"), labels)
    return Reading(images, pl.concat([unlisted, unread.unique("path", keep="first", maintain_order=True), contradictory, unknown]))


def _read_split(file: Path) -> pl.DataFrame:
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise EveError(f"{file} is not JSON: {error}", "Get the file again.") from error
    if not isinstance(content, list):
        raise EveError(f"{file} is not a list of rows [emotion, image, annotation]", "Get the file again, or correct the dataset's path.")
    rows = [_parse_row(row, number, file) for number, row in enumerate(content)]
    schema = {"label": pl.String, "path": pl.String, "annotation": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(split=pl.lit(file.stem))


def _parse_row(row: object, number: int, file: Path) -> tuple[str, str, str]:
    """Return emotion, image and annotation; the annotation is the .json file, and the image stands before it."""
    cells = [cell for cell in row if isinstance(cell, str) and is_text(cell)] if isinstance(row, list) and len(row) in _WIDTHS else []
    last = next((index for index, cell in enumerate(cells) if cell.lower().endswith(".json")), 0)
    if last < 2:  # noqa: PLR2004 - emotion and image stand before it
        raise EveError(
            f"Row {number} of {file} (from 0) is neither [emotion, image, annotation] nor [emotion, id, image, annotation]: {row!r}",
            "Get the file again, or correct the dataset's path.",
        )
    return cells[0], cells[last - 1], cells[last]


def _read_annotations(location: Path, names: list[str]) -> pl.DataFrame:
    with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool:
        found = pool.map(partial(_read_annotation, location), names)
        return pl.DataFrame(list(track(found, total=len(names), description="Reading annotations")), schema=_SCHEMA, orient="row")


def _read_annotation(location: Path, name: str) -> Annotation:
    if ".." in Path(name).parts or Path(name).is_absolute():
        return Annotation(reason="outside the folder", detail="annotation; its image is used without attributes")
    try:
        content = json.loads((location / name).read_bytes())
        attributes = json.dumps(content, ensure_ascii=False).encode().decode()  # half a surrogate pair, which no table can hold, raises
    except FileNotFoundError:
        return Annotation(reason="missing", detail="no such annotation; its image is used without attributes")
    except (OSError, ValueError, RecursionError) as error:
        return Annotation(reason="unreadable", detail=f"annotation: {error}; its image is used without attributes")
    if not isinstance(content, dict):
        return Annotation(reason="unreadable", detail="annotation: not a JSON object; its image is used without attributes")
    emotion = content.get("emotion")
    return Annotation(attributes, emotion if isinstance(emotion, str) else None)


def _agreeing(images: pl.DataFrame, labels: Labels) -> Reading:
    """Reject images of which the split says one emotion and the folder or the annotation another."""
    known = [label.casefold() for label in labels]
    label, folder = pl.col("label").str.to_lowercase(), pl.col("path").str.split("/").list.get(-2, null_on_oob=True)
    annotated = pl.col("emotion").str.strip_chars()
    is_other_folder = folder.str.to_lowercase().is_in(known) & (folder.str.to_lowercase() != label)
    is_other_emotion = annotated.str.to_lowercase() != label
    is_contradictory = (is_other_folder | is_other_emotion).fill_null(value=False)
    detail = pl.format("{}.json says {}, its folder {}, its annotation {}", "split", "label", folder, annotated.fill_null("nothing"))
    contradictory = rejections(images.filter(is_contradictory), "contradictory label", detail)
    return Reading(images.filter(~is_contradictory), contradictory)
