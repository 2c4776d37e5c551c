"""Pictures as people and models see them."""

from PIL import Image, ImageOps

SIXTEEN_BIT_MODES = {"I", "I;16", "I;16B", "I;16L"}


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an opened picture upright (EXIF), in 8-bit RGB; 16-bit greys are scaled, where Pillow alone would clip them to white."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode in SIXTEEN_BIT_MODES:
        upright = upright.convert("I").point(lambda value: value / 257).convert("L")
    return upright.convert("RGB")
