"""Which image of a dataset a name from another tool's file means."""

from collections.abc import Iterator

import polars as pl

ENDING = r"(?i)\.(jpe?g|png|gif|bmp|webp|tiff?)$"


def match_images(rows: pl.DataFrame, images: pl.DataFrame, wanted: pl.DataFrame, rejected: pl.DataFrame) -> pl.DataFrame:
    """Return the rows (number, image, problem, ...) with `image_id`, and in `problem` the reason where it is NULL.

    A name is an image_id, an image's path, or a path that agrees with an image's in as many of its last parts as any does, if need be
    without the file's ending. It must mean one image alone. Where only the file's name agrees, its folder must be none that the dataset
    has too, and no other name may mean the same image.

    Args:
        rows: fields of `rows.Row`.
        images: all images of the dataset (image_id, path).
        wanted: the images of the subset (image_id).
        rejected: its rejected images (path, reason).
    """
    names = rows.select("image").drop_nulls().unique()
    matched = _matched(names, pl.concat([images.select("image_id", "path"), rejected.select(pl.lit(None).alias("image_id"), "path")]))
    known = matched.join(wanted.select("image_id", is_wanted=True), on="image_id", how="left")
    known = known.join(rejected.select("path", "reason"), on="path", how="left")
    reason = (
        pl.when(pl.col("n_matches").is_null()).then(pl.lit("no image of that name"))
        .when(pl.col("n_matches") > 1).then(pl.format("means {} images, among them {}", "n_matches", "path"))
        .when(pl.col("image_id").is_null()).then(pl.format("the dataset rejected it: {}", pl.col("reason").fill_null("duplicate")))
        .when(pl.col("n_names") > 1).then(pl.format("{} names agree with {} by the file's name alone", "n_names", "path"))
        .when(pl.col("is_wanted").is_null()).then(pl.lit("not in the subset"))
    )  # fmt: skip
    found = known.select("image", "image_id", reason=reason).with_columns(pl.when(pl.col("reason").is_null()).then("image_id"))
    joined = rows.join(found, on="image", how="left", maintain_order="left")
    absent = pl.when(pl.col("image").is_null()).then(pl.lit("names no image"))
    return joined.with_columns(
        pl.when(pl.col("problem").is_null()).then("image_id"), problem=pl.coalesce("problem", absent, "reason")
    ).drop("reason")


def _matched(names: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    """Return each name with image_id, path and n_matches (NULL without any), and n_names: how many names mean it by the file's name."""
    left = names.with_columns(parts=_parts("image"))
    known = images.unique("path", keep="first", maintain_order=True).with_columns(parts=_parts("path"))
    found: list[pl.DataFrame] = []
    for asked, given, is_sure in _levels(left, known):
        counted = given.drop_nulls("key").group_by("key").agg(pl.col("image_id", "path").first(), n_matches=pl.len())
        hits = left.select("image").join(asked, on="image").join(counted, on="key")
        n_names = pl.lit(1, pl.UInt32) if is_sure else pl.len().over("key")
        found.append(hits.select("image", "image_id", "path", "n_matches", n_names=n_names))
        left = left.join(hits, on="image", how="anti")
    return pl.concat([*found, left.select("image")], how="diagonal")


def _levels(names: pl.DataFrame, known: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, bool]]:
    """Yield names and images with the `key` in which they may agree, the surest first, and whether more than the file's name agrees."""
    yield names.with_columns(key="image"), known.with_columns(key="image_id"), True
    yield _whole(names), _whole(known), True
    folders = known.select(_folder()).to_series().drop_nulls().unique().to_list()
    of_no_known_folder = names.filter(~_folder().is_in(folders).fill_null(value=False))
    for ending in ("", ENDING):
        for n in range(max(known["parts"].list.len(), default=0), 0, -1):
            asked = names if n > 1 else of_no_known_folder
            yield _last(asked, n, ending), _last(known, n, ending), n > 1


def _parts(column: str) -> pl.Expr:
    return pl.col(column).str.replace_all("\\", "/", literal=True).str.split("/").list.filter(~pl.element().is_in(["", "."]))


def _folder() -> pl.Expr:
    return pl.col("parts").list.get(-2, null_on_oob=True)


def _whole(names: pl.DataFrame) -> pl.DataFrame:
    return names.with_columns(key=pl.col("parts").list.join("/"))


def _last(names: pl.DataFrame, n: int, ending: str) -> pl.DataFrame:
    """Return the frame with `key`, the last n parts without what matches `ending`; NULL where there are fewer."""
    last = pl.when(pl.col("parts").list.len() >= n).then(pl.col("parts").list.tail(n).list.join("/"))
    return names.with_columns(key=last.str.replace(ending, "") if ending else last)
