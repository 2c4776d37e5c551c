"""Open every new or changed image once: is it whole and large enough, is it inside its folder, is it there twice?"""

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import polars as pl

from eve_pipeline.datasets.duplicates import split, without_duplicates
from eve_pipeline.datasets.earlier_checks import EarlierChecks, to_frame
from eve_pipeline.datasets.image_file import Check, ImageFolder
from eve_pipeline.datasets.reading import Reading
from eve_pipeline.datasets.subsets import HAS_TRUTH
from eve_pipeline.progress import track

SAVE_EVERY: Final = 8192
"""Files between two savings of what was found: the most that a killed run reads again."""
_AT_ONCE: Final = 16
"""Files that a thread takes at once: handing over single files costs some percent."""


def verify(
    images: pl.DataFrame, root: Path, workers: int, earlier: EarlierChecks | None = None, placeholders: Collection[str] = ()
) -> Reading:
    """Decode every image and tell the usable from the others.

    Args:
        images: path, label, votes, valence, arousal and any other columns.
        root: the folder that paths are relative to and may not leave.
        workers: threads.
        earlier: checks of earlier runs; files that have not changed since are not read again.
        placeholders: SHA-256 of pictures that are known to stand for removed ones.

    Returns:
        images, in order of path, with sha256 (of the file's bytes), width, height (px, after EXIF orientation), bytes and has_frames
        (several frames or pages, of which only the first is decoded) added; rejected with one row a path.
    """
    images, unusable = split(images, ~HAS_TRUTH, "nothing usable", pl.lit("neither label, votes nor ratings"))
    checks = check_files(images["path"].unique(maintain_order=True).to_list(), root, workers, earlier).drop("modified_ns")
    checked = images.join(checks, on="path", how="left", maintain_order="left").sort("path", maintain_order=True)
    damaged = checked.filter(pl.col("reason").is_not_null()).select("path", "reason", "detail")
    whole, copies = without_duplicates(checked.filter(pl.col("reason").is_null()).drop("reason", "detail"), placeholders)
    return Reading(whole, one_a_path(pl.concat([unusable, damaged, copies])))


def one_a_path(rejected: pl.DataFrame) -> pl.DataFrame:
    """Return rejections with one row a path, in order: the first reason, and every detail."""
    return rejected.group_by("path").agg(pl.col("reason").first(), pl.col("detail").unique(maintain_order=True).str.join("; ")).sort("path")


def check_files(
    paths: Sequence[str], root: Path, workers: int, earlier: EarlierChecks | None = None, save_every: int = SAVE_EVERY
) -> pl.DataFrame:
    """Return the check of each of the paths, in order; `image_file.Check` says what it holds.

    What is found is added to `earlier` after every `save_every` files, so that a run that is killed goes on where it was.
    """
    checks = _check_in_batches(paths, ImageFolder(root), workers, earlier, save_every)
    return to_frame(track(checks, total=len(paths), description="Verifying images"))


def _check_in_batches(
    paths: Sequence[str], folder: ImageFolder, workers: int, earlier: EarlierChecks | None, save_every: int
) -> Iterator[Check]:
    known = earlier.load() if earlier else {}
    check = partial(_check_some, folder, known)
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        warnings.simplefilter("ignore")  # Pillow's remarks on damaged EXIF and the like; what matters is in the checks
        for batch in _parts(paths, save_every):
            done: list[Check] = []
            try:
                for some in pool.map(check, _parts(batch, _AT_ONCE)):
                    done += some
                    yield from some
            finally:
                if earlier:
                    earlier.add(one for one in done if one is not known.get(one.path))


def _check_some(folder: ImageFolder, known: Mapping[str, Check], paths: Sequence[str]) -> list[Check]:
    return [folder.check(path, known.get(path)) for path in paths]


def _parts(paths: Sequence[str], n: int) -> list[Sequence[str]]:
    return [paths[start : start + n] for start in range(0, len(paths), n)]
