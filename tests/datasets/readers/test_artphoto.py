from pathlib import Path

import pytest

from eve_pipeline.datasets.readers.artphoto import read
from eve_pipeline.errors import EveError
from tests.datasets.layouts import artphoto

MIKELS = ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness")


@pytest.fixture
def folder(tmp_path: Path, paint) -> Path:
    for name in ("sad_0001.jpg", "contentment_0101.jpg", "fear_0002.JPG"):
        paint(tmp_path / name)
    (tmp_path / "ReadMe.rtf").write_text("{}")
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    return tmp_path


def test_prefixes_are_labels(folder: Path, entry):
    images, rejected = read(folder, entry(), MIKELS)
    assert images.select("path", "label").rows() == [
        ("contentment_0101.jpg", "contentment"),
        ("fear_0002.JPG", "fear"),
        ("sad_0001.jpg", "sadness"),
    ]
    assert rejected.is_empty()


def test_sad_stays_sad_where_the_list_says_so(folder: Path, entry):
    assert "sad" in read(folder, entry(), ("contentment", "fear", "sad")).images["label"]


@pytest.mark.parametrize(("name", "found"), [("boredom_0001.jpg", "boredom"), ("fear_1.jpg", "fear_1.jpg"), ("fear.jpg", "fear.jpg")])
def test_other_names_are_rejected(folder: Path, entry, paint, name: str, found: str):
    paint(folder / name)
    path, reason, detail = read(folder, entry(), MIKELS).rejected.row(0)
    assert (path, reason) == (name, "unknown label")
    assert detail.startswith(f"'{found}' is none of the labels amusement")


def test_no_images(tmp_path: Path, entry):
    (tmp_path / "ReadMe.rtf").write_text("{}")
    with pytest.raises(EveError, match=r"Expected images named <emotion>_<4 digits>\.jpg in .*; found .* with ReadMe\.rtf"):
        read(tmp_path, entry(), MIKELS)


def test_a_wrong_folder(tmp_path: Path, entry):
    with pytest.raises(EveError, match=r"Expected images named <emotion>_<4 digits>\.jpg in .*absent; found an empty folder"):
        read(tmp_path / "absent", entry(), MIKELS)


def test_the_whole_dataset_in_its_layout(tmp_path: Path, entry):
    images, rejected = read(artphoto(tmp_path), entry(), MIKELS)
    assert sorted(images["label"]) == sorted([*MIKELS, *MIKELS])
    assert rejected.is_empty()
