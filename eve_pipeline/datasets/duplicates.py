"""Files with the same bytes: within a dataset they are told apart, or rejected; across datasets they are listed."""

from collections.abc import Collection
from typing import Final

import polars as pl

from eve_pipeline.datasets.reading import Reading, rejections

PLACEHOLDER_COPIES: Final = 5
"""From so many files with the same bytes on, they are what a site serves in place of removed pictures, and show nothing of their labels."""
_TRUTH: Final = ("label", "votes", "valence", "arousal")


def without_duplicates(images: pl.DataFrame, placeholders: Collection[str] = ()) -> Reading:
    """Keep one image of each content.

    Args:
        images: path, sha256, label, votes, valence, arousal and any other columns, in order of path.
        placeholders: SHA-256 of pictures that are known to stand for removed ones.

    Returns:
        The images to keep. Rejected are all copies of a placeholder, known or in `PLACEHOLDER_COPIES` files or more; all copies of a
        picture that has several labels (without labels: several votes or ratings); and, where they agree, all but the first by path.
    """
    known = pl.col("sha256").is_in(list(placeholders))
    images, stand_ins = split(images, known, "placeholder", pl.lit("known to stand for a removed picture"))
    n_files, first = pl.col("path").n_unique().over("sha256"), pl.col("path").first().over("sha256")
    many = pl.format("one of {} files with the same bytes, the first of them {}", n_files, first)
    images, copies = split(images, n_files >= PLACEHOLDER_COPIES, "placeholder", many)
    images, conflicting = _without_conflicts(images)
    is_later = ~pl.col("sha256").is_first_distinct()
    images, duplicate = split(images, is_later, "duplicate", pl.format("same bytes and label as {}", first))
    return Reading(images, pl.concat([stand_ins, copies, conflicting, duplicate]))


def in_other_datasets(images: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Return the images whose bytes other datasets have too; they stay in all of them.

    Args:
        images: path and sha256 of one dataset.
        others: dataset, path and sha256 of the others.

    Returns:
        path, other_dataset and other_path, in this order.
    """
    renamed = others.select("sha256", other_dataset="dataset", other_path="path")
    found = images.select("path", "sha256").join(renamed, on="sha256")
    return found.select("path", "other_dataset", "other_path").sort(pl.all())


def split(images: pl.DataFrame, is_bad: pl.Expr, reason: str, detail: pl.Expr) -> Reading:
    """Tell the rows that are to be rejected, for one reason, from the others."""
    marked = images.with_columns(_is_bad=is_bad, _detail=detail)
    bad = rejections(marked.filter("_is_bad"), reason, pl.col("_detail"))
    return Reading(marked.filter(~pl.col("_is_bad")).drop("_is_bad", "_detail"), bad)


def _without_conflicts(images: pl.DataFrame) -> Reading:
    said = pl.when(pl.col("label").is_null()).then(pl.struct(_TRUTH[1:]).struct.json_encode())
    marked = images.with_columns(_said=pl.coalesce("label", said))
    is_like_first = pl.col("_said") == pl.col("_said").first().over("sha256")
    path, same = pl.col("path"), pl.col("sha256")
    contrary = pl.when(is_like_first).then(path.filter(~is_like_first).first().over(same)).otherwise(path.first().over(same))
    differs = pl.col("label").n_unique().over(same) > 1
    what = pl.when(differs).then(pl.lit("another label")).otherwise(pl.lit("other votes or ratings"))
    kept, rejected = split(
        marked, pl.col("_said").n_unique().over(same) > 1, "conflicting duplicate", pl.format("same bytes as {}, {}", contrary, what)
    )
    return Reading(kept.drop("_said"), rejected)
