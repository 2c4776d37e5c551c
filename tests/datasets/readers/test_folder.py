from pathlib import Path

import pytest

from eve_pipeline.datasets.readers.folder import read
from eve_pipeline.errors import EveError


def test_folders_are_labels_whatever_their_case(tmp_path: Path, entry, paint):
    for name in ("Fear/2.jpg", "Fear/deep/1.png", "awe/1.jpg"):
        paint(tmp_path / name)
    images, rejected = read(tmp_path, entry(), ("awe", "fear"))
    assert images.rows() == [("Fear/2.jpg", "fear", "single"), ("Fear/deep/1.png", "fear", "single"), ("awe/1.jpg", "awe", "single")]
    assert rejected.is_empty()


def test_other_folders_and_loose_images_are_rejected(tmp_path: Path, entry, paint):
    for name in ("awe/1.jpg", "boredom/1.jpg", "loose.jpg"):
        paint(tmp_path / name)
    images, rejected = read(tmp_path, entry(), ("awe", "fear"))
    assert images["path"].to_list() == ["awe/1.jpg"]
    assert rejected.rows() == [
        ("boredom/1.jpg", "unknown label", "'boredom' is none of the labels awe, fear"),
        ("loose.jpg", "unknown label", "'loose.jpg' is none of the labels awe, fear"),
    ]


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_no_images(tmp_path: Path, entry, name: str):
    (tmp_path / "empty").mkdir()
    with pytest.raises(EveError, match=r"Expected folders of images named awe, fear in .*; found .*empty"):
        read(tmp_path / name, entry(), ("awe", "fear"))
