"""Real image files for the tests of datasets."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from eve_pipeline.datasets.registry import DatasetEntry
from eve_pipeline.emotions.label_sets import Labels

Paint = Callable[..., Path]


@pytest.fixture
def paint() -> Paint:
    """Return a function that saves a picture of its own colour, the next one each time unless `colour` is given."""
    colours = iter(range(0, 2**24, 4242))

    def paint(path: Path, colour: int | None = None, size: tuple[int, int] = (24, 16), **options: object) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        value = next(colours) if colour is None else colour
        Image.new("RGB", size, (value >> 16, value >> 8 & 255, value & 255)).save(path, **options)
        return path

    return paint


@pytest.fixture
def entry(tmp_path: Path) -> Callable[..., DatasetEntry]:
    """Return a function that makes an entry; the readers' tests pass the labels themselves."""

    def entry(labels: str | Labels = "mikels", **fields: object) -> DatasetEntry:
        return DatasetEntry.model_validate({"key": "mine", "reader": "manifest", "path": tmp_path, "labels": labels, **fields})

    return entry
