"""Pictures as people and models see them."""

from pathlib import Path, PurePath
from typing import Final

from PIL import ExifTags, Image

SIXTEEN_BIT_MODES: Final = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
_WHITE_16_BIT: Final = 65535
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its EXIF orientation."""


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an opened picture as a browser shows it on a white page, in 8-bit RGB.

    It is upright (EXIF); what is transparent is white; 16-bit greys are scaled, where Pillow alone would clip them to white. Of an
    animation or a document of several pages it is the first frame.
    """
    image.load()
    turn = _TURNS.get(orientation(image))
    upright = image.transpose(turn) if turn is not None else image
    if upright.mode in SIXTEEN_BIT_MODES:
        return upright.convert("I").point(lambda value: value / 257).convert("L").convert("RGB")
    if upright.has_transparency_data:
        colours = upright.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", colours.size, "white"), colours).convert("RGB")
    return upright.convert("RGB")


def image_file(root: Path | None, path: str) -> Path | None:
    """Return the file of an image, None where its dataset is not known any more or its path leads out of the dataset's folder."""
    if root is None or PurePath(path).is_absolute() or ".." in PurePath(path).parts:
        return None
    return root / path


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of a loaded picture, 1 to 8; 1 (upright) where there is none or where the EXIF is damaged."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001 - damaged EXIF raises anything, and the picture beside it is whole
        return 1
    return found if isinstance(found, int) and found in _TURNS else 1


def has_known_tones(image: Image.Image) -> bool:
    """Whether black and white are defined for a loaded picture: not for floats, nor for integers beyond 16 bits."""
    if image.mode == "I":
        low, high = image.getextrema()
        return isinstance(low, int | float) and isinstance(high, int | float) and low >= 0 and high <= _WHITE_16_BIT
    return image.mode != "F"
