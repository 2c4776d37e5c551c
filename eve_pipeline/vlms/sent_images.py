"""The bytes of an image as a provider gets them: its own, unless the entry or the provider wants others."""

import base64
import hashlib
import io
from pathlib import Path
from typing import Final, NamedTuple

import PIL
from PIL import Image

from eve_pipeline.files import replacing
from eve_pipeline.pictures import to_rgb
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.images import read_image
from eve_pipeline.vlms.protocol import Request
from eve_pipeline.vlms.registry import ImagePreparation

MEDIA_TYPES: Final = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}
"""Formats that providers take; a camera's JPEG of several frames (MPO) passes for a JPEG."""
STILL: Final = {"JPEG", "MPO", "PNG"}
QUALITY: Final = 90
VERSION: Final = 1
"""Of what this module does to an image; raise it with every change."""


class SentImage(NamedTuple):
    """A file's bytes and their media type."""

    content: bytes
    media_type: str

    @property
    def data_url(self) -> str:
        """The image as a URL that carries it."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"


class SentImages:
    """The images of one entry; what was encoded anew is kept in `EVE_HOME/cache/prepared_images`, for all prompts and runs."""

    def __init__(self, preparation: ImagePreparation, settings: Settings) -> None:
        self.preparation = preparation
        name = f"side-{preparation.max_side or 'own'}_quality-{preparation.jpeg_quality or 'own'}_v{VERSION}_pillow-{PIL.__version__}"
        self.folder = settings.home / "cache" / "prepared_images" / name

    def of(self, request: Request) -> SentImage:
        """Return what is sent for a request.

        Raises:
            OSError: the image cannot be read, or has changed since its dataset was prepared.
        """
        for suffix, media_type in ((".jpg", "image/jpeg"), (".png", "image/png")):
            if content := _read_sealed(self.folder / f"{request.image_sha256}{suffix}"):
                return SentImage(content, media_type)
        content = read_image(request)
        with Image.open(io.BytesIO(content)) as image:
            if own := self._own_media_type(image):
                return SentImage(content, own)
            encoded = self._encoded(image)
        _write_sealed(self.folder / f"{request.image_sha256}.{'jpg' if encoded.media_type == 'image/jpeg' else 'png'}", encoded.content)
        return encoded

    def _own_media_type(self, image: Image.Image) -> str | None:
        if self.preparation.jpeg_quality or self._is_too_large(image):
            return None
        is_moving = image.format not in STILL and getattr(image, "is_animated", False)
        return None if is_moving else MEDIA_TYPES.get(image.format or "")

    def _is_too_large(self, image: Image.Image) -> bool:
        return self.preparation.max_side is not None and max(image.size) > self.preparation.max_side

    def _encoded(self, image: Image.Image) -> SentImage:
        is_too_large, profile = self._is_too_large(image), image.info.get("icc_profile") if image.mode == "RGB" else None
        picture, target = to_rgb(image), io.BytesIO()
        if not (is_too_large or self.preparation.jpeg_quality):
            picture.save(target, "PNG", icc_profile=profile)
            return SentImage(target.getvalue(), "image/png")
        if is_too_large and self.preparation.max_side:
            picture.thumbnail((self.preparation.max_side, self.preparation.max_side), Image.Resampling.LANCZOS, reducing_gap=None)
        picture.save(target, "JPEG", quality=self.preparation.jpeg_quality or QUALITY, icc_profile=profile)
        return SentImage(target.getvalue(), "image/jpeg")


def _write_sealed(file: Path, content: bytes) -> None:
    """Write content and its SHA-256 behind it, which viewers of images ignore."""
    with replacing(file) as temporary:
        temporary.write_bytes(content + hashlib.sha256(content).digest())


def _read_sealed(file: Path) -> bytes | None:
    """Return the content of a file, None where there is none or where it is not what was written."""
    try:
        sealed = file.read_bytes()
    except FileNotFoundError:
        return None
    content, seal = sealed[:-32], sealed[-32:]
    return content if hashlib.sha256(content).digest() == seal else None
