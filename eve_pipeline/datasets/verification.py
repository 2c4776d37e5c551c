"""Open every image once: is it whole and large enough, is it inside its folder, is it there twice?"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import polars as pl
from PIL import ExifTags, Image

from eve_pipeline.datasets.reading import Reading, rejections
from eve_pipeline.datasets.subsets import HAS_TRUTH
from eve_pipeline.progress import track

_TURNED = {5, 6, 7, 8}  # EXIF orientations that swap width and height
MIN_SIDE = 16
"""Pixels; smaller files are what sites leave where a picture was, and no model sees anything in them."""


class Check(NamedTuple):
    """What was found in one file: its measures, or the reason why it is rejected."""

    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    bytes: int | None = None
    reason: str | None = None
    detail: str | None = None


_CHECK_SCHEMA = dict(zip(Check._fields, (pl.String, pl.Int64, pl.Int64, pl.Int64, pl.String, pl.String), strict=True))


def verify(images: pl.DataFrame, root: Path, workers: int) -> Reading:
    """Decode every image and tell the usable from the others.

    Args:
        images: path, label, votes, valence, arousal and any other columns.
        root: the folder that paths are relative to and may not leave.
        workers: threads.

    Returns:
        images, in order of path, with sha256 (of the file's bytes), width, height (px, after EXIF orientation) and bytes added;
        rejected with one row a path. Of files with the same bytes and label the first by path stays; if labels differ, none.
    """
    images, unusable = _split(images, ~HAS_TRUTH, "nothing usable", pl.lit("neither label, votes nor ratings"))
    checks = _check_all(images["path"], root, workers)
    checked = pl.concat([images, checks], how="horizontal").sort("path", maintain_order=True)
    whole = checked.filter(pl.col("reason").is_null()).drop("reason", "detail")
    damaged = checked.filter(pl.col("reason").is_not_null()).select("path", "reason", "detail")
    same_bytes = pl.col("path").first().over("sha256")
    has_first_label = pl.col("label").eq_missing(pl.col("label").first())
    contrary = pl.when(has_first_label.over("sha256")).then(pl.col("path").filter(~has_first_label).first().over("sha256"))
    unequal = pl.col("label").n_unique().over("sha256") > 1
    whole, conflicting = _split(
        whole, unequal, "conflicting duplicate", pl.format("same bytes as {}, another label", contrary.otherwise(same_bytes))
    )
    is_later = ~pl.col("sha256").is_first_distinct()
    whole, duplicate = _split(whole, is_later, "duplicate", pl.format("same bytes and label as {}", same_bytes))
    return Reading(whole, one_a_path(pl.concat([unusable, damaged, conflicting, duplicate])))


def one_a_path(rejected: pl.DataFrame) -> pl.DataFrame:
    """Return rejections with one row a path, in order: the first reason, and every detail."""
    return rejected.group_by("path").agg(pl.col("reason").first(), pl.col("detail").unique(maintain_order=True).str.join("; ")).sort("path")


def _split(images: pl.DataFrame, is_bad: pl.Expr, reason: str, detail: pl.Expr) -> Reading:
    marked = images.with_columns(_is_bad=is_bad, _detail=detail)
    bad = rejections(marked.filter("_is_bad"), reason, pl.col("_detail"))
    return Reading(marked.filter(~pl.col("_is_bad")).drop("_is_bad", "_detail"), bad)


def _check_all(paths: pl.Series, root: Path, workers: int) -> pl.DataFrame:
    with ThreadPoolExecutor(workers) as pool:
        checks = pool.map(partial(check_image, root.resolve()), paths)
        rows = list(track(checks, total=len(paths), description="Verifying images"))
    return pl.DataFrame(rows, schema=_CHECK_SCHEMA, orient="row")


def check_image(root: Path, path: str) -> Check:
    """Read one file once, hash it and decode it whole; `root` is a resolved folder. Never raises."""
    try:
        file = (root / path).resolve()
        if not file.is_relative_to(root):
            return Check(reason="outside the folder", detail=f"leads to {file}")
        if not file.exists():
            return Check(reason="missing", detail=f"no file {file}")
        content = file.read_bytes()
        width, height = _decode(content)
        if min(width, height) < MIN_SIDE:
            return Check(reason="too small", detail=f"{width} x {height} px, less than {MIN_SIDE} on a side")
        return Check(hashlib.sha256(content).hexdigest(), width, height, len(content))
    except Exception as error:  # noqa: BLE001 - decoders raise anything on damaged files, and one file must not end the run
        reason = "truncated" if "truncated" in str(error).lower() else "unreadable"
        return Check(reason=reason, detail=f"{type(error).__name__}: {error}")


def _decode(content: bytes) -> tuple[int, int]:
    """Return width and height after EXIF orientation."""
    with Image.open(BytesIO(content)) as image:
        image.load()
        is_turned = image.getexif().get(ExifTags.Base.Orientation) in _TURNED
        return (image.height, image.width) if is_turned else image.size
