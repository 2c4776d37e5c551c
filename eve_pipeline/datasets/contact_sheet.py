"""Pictures of many images: some of a dataset, one row a label, or chosen ones with captions."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Literal, NamedTuple

import polars as pl
from PIL import Image, ImageDraw, ImageFont, ImageOps

from eve_pipeline.pictures import to_rgb

SIDE, GAP, MARGIN, CAPTION = 112, 6, 20, 128
WIDE, LINE, HEADING, NARROWEST, LONGEST = 168, 17, 34, 640, 200
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


def _thumbnail(path: Path, side: int = SIDE) -> Image.Image:
    with Image.open(path) as image:
        image.draft("RGB", (2 * side, 2 * side))
        return ImageOps.fit(to_rgb(image), (side, side))


class Tile(NamedTuple):
    """A picture of a captioned sheet: its file, None where it is not known, and what stands below it."""

    path: Path | None
    caption: Sequence[str]


def captioned_sheet(tiles: Sequence[Tile], title: str, *, columns: int = 6, form: Literal["JPEG", "PNG"] = "JPEG") -> bytes:
    """Return a sheet of pictures with lines of text below each; where a file is missing or damaged, its place says so."""
    columns = max(1, min(columns, len(tiles)))
    lines = max((len(tile.caption) for tile in tiles), default=0)
    height = WIDE + lines * LINE + 3 * GAP
    size = (max(2 * MARGIN + columns * (WIDE + 2 * GAP), NARROWEST), 2 * MARGIN + HEADING + -(-len(tiles) // columns) * height)
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), _fitting(title, size[0] - 2 * MARGIN, 17), INK, ImageFont.load_default(17))
    for number, tile in enumerate(tiles):
        left, top = MARGIN + number % columns * (WIDE + 2 * GAP), MARGIN + HEADING + number // columns * height
        _place(sheet, draw, tile.path, (left, top))
        for line, text in enumerate(tile.caption):
            ink = INK if line == 0 else FAINT
            draw.text((left, top + WIDE + GAP + line * LINE), _fitting(text, WIDE + GAP, 12), ink, ImageFont.load_default(12))
    buffer = BytesIO()
    sheet.save(buffer, form, quality=88, optimize=True)
    return buffer.getvalue()


def _place(sheet: Image.Image, draw: ImageDraw.ImageDraw, path: Path | None, corner: tuple[int, int]) -> None:
    left, top = corner
    if path is None or not path.exists():
        words = "file missing"
    else:
        try:
            sheet.paste(_thumbnail(path, WIDE), corner)
        except Exception:  # noqa: BLE001 - a damaged file raises anything, and the other pictures are whole
            words = "file damaged"
        else:
            return
    draw.rectangle((left, top, left + WIDE, top + WIDE), outline=FAINT)
    draw.text((left + WIDE // 2, top + WIDE // 2), words, FAINT, ImageFont.load_default(12), anchor="mm")


def _fitting(text: str, width: int, size: int) -> str:
    """Return as much of a text as is that wide, on one line."""
    line, font = (
        " ".join("".join(letter if letter.isprintable() else " " for letter in text[:LONGEST]).split()),
        ImageFont.load_default(size),
    )
    while line and font.getlength(line) > width:
        line = f"{line[:-2]}…"
    return line
