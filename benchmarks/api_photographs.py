"""Distinct JPEG files in a folder for each emotion: what every contender asks about."""

import io
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from chat_stub import LABELS
from PIL import Image

N_DRAWN = 100
START_OF_IMAGE, COMMENT = b"\xff\xd8", b"\xff\xfe"


def draw() -> list[bytes]:
    """Draw JPEGs of 640 x 480 with 40 to 100 kB: soft shapes under a camera's grain."""
    rng, drawn = np.random.default_rng(0), []
    for _ in range(N_DRAWN):
        coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize((640, 480), Image.Resampling.BICUBIC)
        grain = rng.normal(0, rng.uniform(3, 8), (480, 640, 1))
        file = io.BytesIO()
        Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=85)
        drawn.append(file.getvalue())
    return drawn


def write_photographs(folder: Path, n: int, source: Path | None) -> list[Path]:
    """Write n files, of `source`'s JPEGs in turn or of drawn ones; a comment of its own makes each file's bytes distinct."""
    contents = [file.read_bytes() for kind in ("jpg", "jpeg") for file in sorted(source.rglob(f"*.{kind}"))] if source else draw()
    if not contents:
        raise SystemExit(f"{source} holds no JPEG")
    files = []
    for number, content in enumerate(islice(cycle(contents), n)):
        files.append(folder / LABELS[number % len(LABELS)] / f"{number:06}.jpg")
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        note = f"{number:06}".encode()
        files[-1].write_bytes(START_OF_IMAGE + COMMENT + (2 + len(note)).to_bytes(2, "big") + note + content.removeprefix(START_OF_IMAGE))
    return files
