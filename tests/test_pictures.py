from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eve_pipeline.pictures import has_known_tones, image_file, orientation, to_rgb


def test_sixteen_bit_greys_keep_their_tones():
    pixels = np.array([[0, 257 * 100], [257 * 200, 65535]], np.uint16)
    assert np.asarray(to_rgb(Image.fromarray(pixels)))[..., 0].tolist() == [[0, 100], [200, 255]]


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bit_greys_keep_their_tones_in_files(tmp_path: Path, suffix: str):
    file = tmp_path / f"grey.{suffix}"
    Image.fromarray(np.full((2, 2), 257 * 100, np.uint16)).save(file)
    assert to_rgb(Image.open(file)).getpixel((0, 0)) == (100, 100, 100)


UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90,
}
"""What EXIF says is to be done with the stored rows: CIPA DC-008, tag 0x0112."""


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("turned", UPRIGHT)
def test_a_turned_photograph_is_upright(tmp_path: Path, turned: int, suffix: str):
    stored = np.full((32, 48, 3), 255, np.uint8)
    stored[:16, :16] = 0
    stored[:16, 32:] = (255, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = turned
    options = {"jpg": {"quality": 95, "subsampling": 0}, "webp": {"lossless": True}}.get(suffix, {})
    Image.fromarray(stored).save(tmp_path / f"turned.{suffix}", exif=exif, **options)
    shown = np.asarray(to_rgb(Image.open(tmp_path / f"turned.{suffix}"))).astype(int)
    expected = UPRIGHT[turned](stored)
    assert shown.shape == expected.shape
    assert np.abs(shown - expected).max() < 8


def with_orientation(picture: Image.Image, orientation: int) -> Image.Image:
    turned = picture.copy()
    turned.getexif()[0x0112] = orientation
    return turned


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0", b"Exif\0\0no TIFF at all", b"Exif\0\0II*\0\xff\xff\xff\xff", b"\0" * 40])
def test_damaged_exif_leaves_the_picture_as_it_is(tmp_path: Path, exif: bytes):
    Image.new("RGB", (30, 20), "red").save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as picture:
        assert to_rgb(picture).size == (30, 20)
        assert orientation(picture) == 1


@pytest.mark.parametrize("value", [0, 9, -1, 70_000])
def test_orientations_that_do_not_exist_count_as_upright(value: int):
    assert orientation(with_orientation(Image.new("RGB", (3, 2)), value)) == 1


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "HSV", "RGBX", "P", "L", "1"])
def test_every_colour_mode_becomes_rgb(mode: str):
    white = {"CMYK": (0, 0, 0, 0), "YCbCr": (255, 128, 128), "LAB": (255, 128, 128), "HSV": (0, 0, 255), "RGBX": (255, 255, 255, 0)}
    picture = Image.new("P", (2, 2)) if mode == "P" else Image.new(mode, (2, 2), white.get(mode, 255))
    if mode == "P":
        picture.putpalette([255, 255, 255])
    shown = to_rgb(picture)
    assert shown.mode == "RGB"
    assert min(shown.getpixel((0, 0))) >= 253


def test_cmyk_photographs_of_adobe_keep_their_colours(tmp_path: Path):
    """Adobe stores the complement of the inks, and says who wrote the file in a marker."""
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "red.jpg", quality=95)
    assert b"Adobe" in (tmp_path / "red.jpg").read_bytes()
    red, green, blue = to_rgb(Image.open(tmp_path / "red.jpg")).getpixel((8, 8))
    assert (red > 250, green < 5, blue < 5) == (True, True, True)


def transparent(mode: str) -> Image.Image:
    """Black, opaque on the left and transparent on the right."""
    picture = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    picture.putpixel((1, 0), (0, 0, 0, 0))
    return picture.quantize() if mode == "P" else picture.convert(mode)


@pytest.mark.parametrize(
    ("mode", "suffix"), [("RGBA", "png"), ("LA", "png"), ("P", "png"), ("RGBA", "gif"), ("RGBA", "webp"), ("RGBA", "tif")]
)
def test_what_is_transparent_is_white(tmp_path: Path, mode: str, suffix: str):
    transparent(mode).save(tmp_path / f"a.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    shown = to_rgb(Image.open(tmp_path / f"a.{suffix}"))
    assert [shown.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0), (255, 255, 255)]


@pytest.mark.parametrize(("mode", "colour"), [("RGB", (9, 9, 9)), ("L", 9), ("1", 0)])
def test_a_colour_that_stands_for_transparency_is_white(tmp_path: Path, mode: str, colour: object):
    picture = Image.new(mode, (2, 1), "white")
    picture.putpixel((0, 0), colour)
    picture.putpixel((1, 0), 128 if mode == "L" else picture.getpixel((1, 0)))
    picture.save(tmp_path / "a.png", transparency=colour)
    assert to_rgb(Image.open(tmp_path / "a.png")).getpixel((0, 0)) == (255, 255, 255)


def test_half_transparent_is_half_white():
    assert to_rgb(Image.new("RGBA", (1, 1), (0, 0, 0, 51))).getpixel((0, 0)) == (204, 204, 204)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_an_animation_is_its_first_frame(tmp_path: Path, suffix: str):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], **options)
    assert to_rgb(Image.open(tmp_path / f"a.{suffix}")).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("pixels", "is_known"),
    [
        (np.zeros((2, 2), np.uint8), True),
        (np.full((2, 2), 65535, np.uint16), True),
        (np.full((2, 2), 65535, np.int32), True),
        (np.full((2, 2), 65536, np.int32), False),
        (np.full((2, 2), -1, np.int32), False),
        (np.zeros((2, 2), np.float32), False),
    ],
)
def test_tones_are_known_up_to_sixteen_bits(pixels: np.ndarray, is_known: bool):
    assert has_known_tones(Image.fromarray(pixels)) is is_known


@pytest.mark.parametrize("path", ["/etc/passwd", "../secret.png", "a/../../secret.png"])
def test_a_path_that_leads_out_of_the_dataset_is_no_file(path: str, tmp_path: Path):
    assert image_file(tmp_path, path) is None
    assert image_file(None, "a.png") is None
    assert image_file(tmp_path, "a/b.png") == tmp_path / "a" / "b.png"
