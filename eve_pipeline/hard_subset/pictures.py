"""Decode a dataset's images once, for all folds and epochs."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from eve_pipeline.errors import EveError
from eve_pipeline.pictures import to_rgb

Pictures = NDArray[np.uint8]


def decode_pictures(files: Sequence[Path], side: int, workers: int = 1, scratch: Path | None = None) -> Pictures:
    """Return the images as RGB, uint8, shape (n, 3, side, side), each squeezed to a square as the paper's image processor does.

    They lie in an unnamed file in `scratch` (by default the system's temporary folder), which the operating system keeps in memory as
    far as there is room and removes with the process: 118,102 images of 224 px are 17.8 GB. A random batch is then a copy from memory,
    or 150 kB a picture from disk, where decoding again would cost each epoch a few ms a picture and core.

    Raises:
        EveError: a file cannot be read, or the disk has too little room.
    """
    folder = Path(scratch or tempfile.gettempdir())
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        _reserve(file.fileno(), 3 * side * side * len(files), folder)
        pictures = np.memmap(file, np.uint8, "w+", shape=(len(files), 3, side, side))

    def decode(row: int) -> None:
        pictures[row] = _decode(files[row], side)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(decode, range(len(files))))
    return pictures


def _reserve(file: int, size: int, folder: Path) -> None:
    """Take the room on disk before it is written to: through a memory map, a full disk kills the process."""
    free = shutil.disk_usage(folder).free
    lack = EveError(
        f"The decoded images need {size / 1e9:,.1f} GB in {folder}, where {free / 1e9:,.1f} GB are free",
        "Make room there, set EVE_HOME to a larger disk, or lower image_size in the classifier's file.",
    )
    if size > free:
        raise lack
    if hasattr(os, "posix_fallocate"):  # not on macOS
        try:
            os.posix_fallocate(file, 0, size)
        except OSError as error:
            raise lack from error


def _decode(file: Path, side: int) -> Pictures:
    try:
        with Image.open(file) as image:
            image.draft("RGB", (side, side))  # lets a JPEG decode at a fraction of its size
            square = to_rgb(image).resize((side, side), Image.Resampling.BILINEAR)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise EveError(f"{file} cannot be read: {error}", "Materialize the dataset's images again to reject it.") from error
    return np.asarray(square).transpose(2, 0, 1)
