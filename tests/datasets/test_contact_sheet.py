from io import BytesIO
from pathlib import Path

import polars as pl
from PIL import Image

from eve_pipeline.datasets.contact_sheet import CAPTION, GAP, MARGIN, SIDE, contact_sheet


def pictures(tmp_path: Path, paint, *labels: str | None) -> pl.DataFrame:
    for index in range(len(labels)):
        paint(tmp_path / f"{index}.jpg", colour=0x2040E0)
    status = ["single" if label else "none" for label in labels]
    paths = [f"{index}.jpg" for index in range(len(labels))]
    return pl.DataFrame({"path": paths, "label": labels, "label_status": status}, schema_overrides={"label": pl.String})


def opened(sheet: bytes) -> Image.Image:
    return Image.open(BytesIO(sheet), formats=["JPEG"])


def is_blue(sheet: Image.Image, row: int, column: int) -> bool:
    place = (MARGIN + CAPTION + column * (SIDE + GAP) + SIDE // 2, MARGIN + row * (SIDE + GAP) + SIDE // 2)
    red, _, blue = sheet.getpixel(place)
    return blue > 180 > red


def test_one_row_a_label(tmp_path: Path, paint):
    sheet = opened(contact_sheet(pictures(tmp_path, paint, "fear", "awe", "fear", "fear"), tmp_path, columns=2))
    assert sheet.size == (2 * MARGIN + CAPTION + 2 * SIDE + GAP, 2 * MARGIN + 2 * SIDE + GAP)
    assert [is_blue(sheet, row, column) for row in (0, 1) for column in (0, 1)] == [True, False, True, True]


def test_several_rows_where_nothing_is_labelled(tmp_path: Path, paint):
    sheet = opened(contact_sheet(pictures(tmp_path, paint, *[None] * 5), tmp_path, columns=2))
    assert [is_blue(sheet, row, column) for row in range(3) for column in (0, 1)] == [True] * 5 + [False]


def test_the_seed_chooses(tmp_path: Path, paint):
    images = pictures(tmp_path, paint, *["fear"] * 9)
    for index in range(9):
        paint(tmp_path / f"{index}.jpg")
    first = contact_sheet(images, tmp_path, columns=2, seed=1)
    assert first == contact_sheet(images.reverse(), tmp_path, columns=2, seed=1)
    assert first != contact_sheet(images, tmp_path, columns=2, seed=2)


def test_every_colour_mode_can_be_shown(tmp_path: Path):
    for index, mode in enumerate(("1", "L", "P", "RGBA", "CMYK", "I;16")):
        Image.new(mode, (9, 200)).save(tmp_path / f"{index}.tif")
    images = pl.DataFrame({"path": [f"{index}.tif" for index in range(6)], "label": "awe", "label_status": "single"})
    assert opened(contact_sheet(images, tmp_path)).width > 0
