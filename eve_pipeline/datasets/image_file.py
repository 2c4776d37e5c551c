"""One file of a dataset: where it really is, and whether it is a whole image."""

import hashlib
import os
import stat
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl
from PIL import Image, UnidentifiedImageError

from eve_pipeline.datasets.reading import printable
from eve_pipeline.pictures import has_known_tones, orientation

MIN_SIDE: Final = 16
"""Pixels; smaller files are what sites leave where a picture was, and no model sees anything in them."""
MAX_PIXELS: Final = 89_478_485
"""Pillow's own limit, above which it warns and from twice of which it refuses: here an error, before anything is decoded."""
MAX_BYTES: Final = 2**29
FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM")
"""What is tried on a file, whatever its suffix; Pillow knows others, some of which run programs (EPS)."""
_TURNED_SIDEWAYS: Final = frozenset({5, 6, 7, 8})
_NO_NAMES: Final = frozenset({"", ".", ".."})
_BEGINNINGS: Final = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF"}
_SHOWN_BYTES: Final = 12


class Check(NamedTuple):
    """What was found in one file: its measures, or the reason why it is rejected; with `sha256` wherever it was read whole."""

    path: str
    bytes: int | None = None
    modified_ns: int | None = None
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    has_frames: bool | None = None
    reason: str | None = None
    detail: str | None = None


CHECK_SCHEMA: Final = pl.Schema(
    {
        "path": pl.String(),
        "bytes": pl.Int64(),
        "modified_ns": pl.Int64(),
        "sha256": pl.String(),
        "width": pl.Int64(),
        "height": pl.Int64(),
        "has_frames": pl.Boolean(),
        "reason": pl.String(),
        "detail": pl.String(),
    }
)


class ImageFolder:
    """The folder that a dataset's paths are relative to and may not leave, by `..`, as absolute paths or through links."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._inside = f"{str(self.root).rstrip(os.sep)}{os.sep}"
        self._real_folder = lru_cache(maxsize=4096)(self._resolve_folder)

    def check(self, path: str, earlier: Check | None = None) -> Check:
        """Read one file, hash it and decode it whole; an earlier check of the same size and time stands. Never raises."""
        try:
            file = self._real_file(path)
            located = self._locate(path, file)
            if located.reason:
                return located
            if earlier and (earlier.bytes, earlier.modified_ns) == (located.bytes, located.modified_ns):
                return earlier
            return _read(file, located)
        except (FileNotFoundError, NotADirectoryError) as error:
            return Check(path, reason="missing", detail=f"no file {printable(str(error.filename))}")
        except Exception as error:  # noqa: BLE001 - one file must not end the run, whatever its name or its disk does
            return Check(path, reason="unreadable", detail=f"{type(error).__name__}: {error}")

    def _locate(self, path: str, file: Path) -> Check:
        if not str(file).startswith(self._inside):
            return Check(path, reason="outside the folder", detail=f"leads to {printable(str(file))}")
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device would be read for ever
            return Check(path, reason="not a file", detail=f"{printable(str(file))} is a {_kind(status.st_mode)}")
        if status.st_size > MAX_BYTES:
            return Check(path, reason="too large", detail=f"{status.st_size} bytes, more than {MAX_BYTES}")
        return Check(path, status.st_size, status.st_mtime_ns)

    def _real_file(self, path: str) -> Path:
        """Resolve a folder once for all its files, and a file where it is a link: resolving all would cost a tenth of decoding."""
        folder, slash, name = path.rpartition("/")
        parent = self._real_folder(folder + slash)
        file = parent / name
        return Path(os.path.realpath(file)) if name in _NO_NAMES or file.is_symlink() else file

    def _resolve_folder(self, folder: str) -> Path:
        return Path(os.path.realpath(self.root / folder))


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
    return kinds.get(stat.S_IFMT(mode), "device")


def _read(file: Path, located: Check) -> Check:
    content = file.read_bytes()
    read = located._replace(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    try:
        return _decode(content, read)
    except MemoryError:
        raise  # says nothing of the file, so it must not be remembered with its hash
    except Image.DecompressionBombError as error:
        return read._replace(reason="too many pixels", detail=str(error))
    except UnidentifiedImageError:
        return read._replace(reason="unreadable", detail=_unidentified(content))
    except Exception as error:  # noqa: BLE001 - decoders raise anything on damaged files
        reason = "truncated" if "truncated" in str(error).lower() else "unreadable"
        return read._replace(reason=reason, detail=f"{type(error).__name__}: {error}")


def _decode(content: bytes, read: Check) -> Check:
    """Decode the first frame and measure it."""
    with Image.open(BytesIO(content), formats=FORMATS) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            return read._replace(reason="too many pixels", detail=f"{width} x {height} px, more than {MAX_PIXELS} in all")
        image.load()
        if not has_known_tones(image):
            detail = f"mode {image.mode}: no range of tones is defined for floats and for integers beyond 16 bits"
            return read._replace(reason="unknown tones", detail=detail)
        width, height = image.size[::-1] if orientation(image) in _TURNED_SIDEWAYS else image.size
        if min(width, height) < MIN_SIDE:
            return read._replace(reason="too small", detail=f"{width} x {height} px, less than {MIN_SIDE} on a side")
        return read._replace(width=width, height=height, has_frames=bool(getattr(image, "is_animated", False)))


def _unidentified(content: bytes) -> str:
    if not content:
        return "an empty file"
    start = content[:256].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page, not an image"
    for beginning, kind in _BEGINNINGS.items():
        if content.startswith(beginning):
            return f"begins as {kind}, but its header is cut or damaged"
    return f"none of {', '.join(FORMATS)}: begins with {content[:_SHOWN_BYTES]!r}"
