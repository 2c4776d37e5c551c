"""A picture of some of a dataset's images, one row a label."""

from io import BytesIO
from pathlib import Path

import polars as pl
from PIL import Image, ImageDraw, ImageFont, ImageOps

from eve_pipeline.pictures import to_rgb

SIDE, GAP, MARGIN, CAPTION = 112, 6, 20, 128
PAPER, INK, FAINT = "#fbfaf7", "#26241f", "#8d887c"


def contact_sheet(images: pl.DataFrame, root: Path, *, columns: int = 8, seed: int = 0) -> bytes:
    """Return a JPEG of images chosen at random by `seed`, one row of `columns` a label; several rows where nothing is labelled.

    Args:
        images: path, label, label_status of verified images.
        root: the folder that paths are relative to.
        columns: images in a row.
        seed: which images.
    """
    rows = _rows(images, columns, seed)
    width = 2 * MARGIN + CAPTION + columns * (SIDE + GAP) - GAP
    sheet = Image.new("RGB", (width, 2 * MARGIN + len(rows) * (SIDE + GAP) - GAP), PAPER)
    for index, (caption, total, paths) in enumerate(rows):
        top = MARGIN + index * (SIDE + GAP)
        _write_caption(sheet, top, caption, total)
        for column, path in enumerate(paths):
            sheet.paste(_thumbnail(root / path), (MARGIN + CAPTION + column * (SIDE + GAP), top))
    buffer = BytesIO()
    sheet.save(buffer, "JPEG", quality=88, optimize=True)
    return buffer.getvalue()


def _rows(images: pl.DataFrame, columns: int, seed: int) -> list[tuple[str, str, list[str]]]:
    """Return caption, number of images in words and the chosen paths of every row."""
    status = pl.col("label_status").replace({"none": "no label"})
    shuffled = images.sort("path").sample(fraction=1, shuffle=True, seed=seed)
    groups = shuffled.with_columns(caption=pl.coalesce("label", status)).group_by("caption").agg("path").sort("caption")
    deep = 1 if groups.height > 1 else 4
    return [
        (caption if start == 0 else "", f"{len(paths)} image{'s'[: len(paths) > 1]}" if start == 0 else "", paths[start : start + columns])
        for caption, paths in groups.iter_rows()
        for start in range(0, min(len(paths), deep * columns), columns)
    ]


def _write_caption(sheet: Image.Image, top: int, caption: str, total: str) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, top + SIDE // 2 - 2), caption, INK, ImageFont.load_default(17), anchor="ls")
    draw.text((MARGIN, top + SIDE // 2 + 18), total, FAINT, ImageFont.load_default(12), anchor="ls")


def _thumbnail(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.draft("RGB", (2 * SIDE, 2 * SIDE))
        return ImageOps.fit(to_rgb(image), (SIDE, SIDE))
