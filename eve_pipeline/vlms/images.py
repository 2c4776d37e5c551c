"""The bytes that a request is about."""

import hashlib

from eve_pipeline.vlms.protocol import Request


class ImageChangedError(OSError):
    """The file no longer holds the picture that the request is about."""


def read_image(request: Request) -> bytes:
    """Return the bytes of a request's image.

    Raises:
        OSError: the file cannot be read, or has changed since its dataset was prepared; an answer would be stored under the wrong key.
    """
    content = request.image.read_bytes()
    if hashlib.sha256(content).hexdigest() != request.image_sha256:
        raise ImageChangedError(f"{request.image} has changed since its dataset was prepared; run eve datasets prepare")
    return content
