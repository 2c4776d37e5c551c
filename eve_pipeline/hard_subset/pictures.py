"""Decode a dataset's images once, for all folds and epochs."""

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
    far as there is room and removes with the process.

    Raises:
        EveError: a file cannot be read.
    """
    with tempfile.TemporaryFile(dir=scratch) as file:
        pictures = np.memmap(file, np.uint8, "w+", shape=(len(files), 3, side, side))

    def decode(row: int) -> None:
        pictures[row] = _decode(files[row], side)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(decode, range(len(files))))
    return pictures


def _decode(file: Path, side: int) -> Pictures:
    try:
        with Image.open(file) as image:
            image.draft("RGB", (side, side))  # lets a JPEG decode at a fraction of its size
            square = to_rgb(image).resize((side, side), Image.Resampling.BILINEAR)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise EveError(f"{file} cannot be read: {error}", "Materialize the dataset's images again to reject it.") from error
    return np.asarray(square).transpose(2, 0, 1)
