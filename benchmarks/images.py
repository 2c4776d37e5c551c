"""Reading, hashing and verifying images, against a bare Pillow decode of the same files by as many threads.

The photographs are those of the folder given as an argument, else of the one that EVE_TEST_OASIS names; else JPEGs of 640 x 480 are drawn.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from ratio import in_turn, report

from eve_pipeline.datasets.earlier_checks import EarlierChecks
from eve_pipeline.datasets.verification import check_files

THREADS = os.cpu_count() or 1
FEWEST = 2000
"""Files in a round; fewer photographs are listed again under other names, by hard links."""


def draw(folder: Path) -> None:
    """Draw 200 JPEGs of 640 x 480."""
    rng = np.random.default_rng(0)
    for number in range(200):
        coarse = Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
        coarse.resize((640, 480), Image.Resampling.BICUBIC).save(folder / f"{number}.jpg", quality=85)


def gather(folder: Path, photographs: list[Path]) -> list[str]:
    """Link photographs into a folder until there are enough, and return their names."""
    names = []
    for turn in range(-(-FEWEST // len(photographs))):
        for number, photograph in enumerate(photographs):
            names.append(f"{turn}-{number}{photograph.suffix}")
            try:
                (folder / names[-1]).hardlink_to(photograph)
            except OSError:  # another file system
                (folder / names[-1]).write_bytes(photograph.read_bytes())
    return names


def rate(work: Callable[[], object], n: int) -> float:
    """Return files a second."""
    start = time.perf_counter()
    work()
    return n / (time.perf_counter() - start)


def decode(file: str) -> None:
    """Do what the bare peer does."""
    Image.open(file).load()


def main() -> None:
    """Print three lines: a first reading, one that also saves its checks, and a second one in which no file has changed."""
    given = sys.argv[1] if sys.argv[1:] else os.environ.get("EVE_TEST_OASIS")
    with tempfile.TemporaryDirectory() as temporary:
        drawn, folder = Path(temporary, "drawn"), Path(temporary, "images")
        drawn.mkdir(), folder.mkdir()
        if not given:
            draw(drawn)
        photographs = sorted(file for kind in ("jpg", "jpeg", "png") for file in Path(given or drawn).rglob(f"*.{kind}"))
        names = gather(folder, photographs)
        paths = [f"{folder}/{name}" for name in names]
        n, earlier = len(names), EarlierChecks(Path(temporary, "checks.parquet"), folder)

        def first() -> None:
            earlier.file.unlink(missing_ok=True)
            check_files(names, folder, THREADS, earlier)

        def peer() -> None:
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(decode, paths))

        print(f"{n} files, {sum(map(os.path.getsize, paths)) / n / 1000:.0f} kB on average, {THREADS} threads")
        report("images", *in_turn(lambda: rate(first, n), lambda: rate(peer, n), rounds=9), target=0.9, peer_name="bare Pillow")
        again = in_turn(lambda: rate(lambda: check_files(names, folder, THREADS, earlier), n), lambda: rate(first, n))
        report("unchanged", *again, target=5, peer_name="first reading")


if __name__ == "__main__":
    main()
