from pathlib import Path

import pytest

from eve_pipeline.datasets.readers.abstract import read
from eve_pipeline.errors import EveError

LABELS = ("amusement", "anger", "awe", "content", "disgust", "excitement", "fear", "sad")
HEADER = "'','Amusement','Anger','Awe','Content','Disgust','Excitement','Fear','Sad'\n"


@pytest.fixture
def folder(tmp_path: Path, paint) -> Path:
    for index in range(1, 4):
        paint(tmp_path / f"abstract_000{index}.jpg")
    rows = ["'abstract_0001.jpg',0,1,0,9,0,0,0,4", "'abstract_0002.jpg',5,0,5,1,1,1,1,0", "'abstract_0003.jpg',0,0,0,0,0,1,1,12"]
    (tmp_path / "ABSTRACT_groundTruth.csv").write_text(HEADER + "\n".join(rows) + "\n")
    return tmp_path


def test_votes_become_labels_and_ties(folder: Path, entry):
    images, rejected = read(folder, entry(), LABELS)
    assert images["path"].to_list() == ["abstract_0001.jpg", "abstract_0002.jpg", "abstract_0003.jpg"]
    assert images["label"].to_list() == ["content", None, "sad"]
    assert images["label_status"].to_list() == ["single", "tie", "single"]
    assert images["n_votes"].to_list() == [14, 14, 14]
    assert images["votes"].to_list()[2][-1] == {"label": "sad", "share": 12 / 14}
    assert rejected.is_empty()


def test_an_image_without_votes_is_rejected_and_a_row_without_file_stays_for_verification(folder: Path, entry, paint):
    paint(folder / "abstract_0099.jpg")
    (folder / "abstract_0003.jpg").unlink()
    images, rejected = read(folder, entry(), LABELS)
    assert images["path"].to_list()[2] == "abstract_0003.jpg"
    assert rejected.rows() == [("abstract_0099.jpg", "nothing usable", "not listed in ABSTRACT_groundTruth.csv")]


def test_names_are_matched_to_files_whatever_their_case(folder: Path, entry):
    (folder / "abstract_0001.jpg").rename(folder / "Abstract_0001.JPG")
    images, rejected = read(folder, entry(), LABELS)
    assert images["path"].to_list()[0] == "Abstract_0001.JPG"
    assert rejected.is_empty()


def test_missing_folder_and_ground_truth(folder: Path, entry):
    with pytest.raises(
        EveError, match=r"Expected the Abstract dataset's votes at .*absent/ABSTRACT_groundTruth\.csv; found no folder .*absent"
    ):
        read(folder / "absent", entry(), LABELS)
    (folder / "ABSTRACT_groundTruth.csv").rename(folder / "votes.csv")
    with pytest.raises(EveError, match=r"found .* with abstract_0001\.jpg, abstract_0002\.jpg, abstract_0003\.jpg, votes\.csv"):
        read(folder, entry(), LABELS)


def test_no_images(folder: Path, entry):
    for image in folder.glob("*.jpg"):
        image.unlink()
    with pytest.raises(EveError, match=r"Expected abstract_0001\.jpg and so on in .*; found .* with ABSTRACT_groundTruth\.csv"):
        read(folder, entry(), LABELS)


def test_another_header_is_named(folder: Path, entry):
    (folder / "ABSTRACT_groundTruth.csv").write_text(HEADER.replace("Sad", "Joy") + "'abstract_0001.jpg',0,1,0,9,0,0,0,4\n")
    with pytest.raises(EveError, match=r"(?s)Expected the columns .*content.*sad.*found .*'Joy'"):
        read(folder, entry(), LABELS)


def test_a_vote_that_is_no_number(folder: Path, entry):
    (folder / "ABSTRACT_groundTruth.csv").write_text(HEADER + "'abstract_0001.jpg',0,1,0,many,0,0,0,4\n")
    with pytest.raises(EveError, match=r"is not a table of votes.*many"):
        read(folder, entry(), LABELS)


@pytest.mark.parametrize("blank", [",,,,,,,,", "", "'', ,,,,,,,"])
def test_a_blank_row_is_passed_over(folder: Path, entry, blank: str):
    (folder / "ABSTRACT_groundTruth.csv").write_text(f"{HEADER}{blank}\n'abstract_0001.jpg',0,1,0,9,0,0,0,4\n{blank}\n")
    assert read(folder, entry(), LABELS).images["path"].to_list() == ["abstract_0001.jpg"]


def test_votes_without_a_name_name_the_row(folder: Path, entry):
    (folder / "ABSTRACT_groundTruth.csv").write_text(HEADER + "'abstract_0001.jpg',0,1,0,9,0,0,0,4\n,0,1,0,9,0,0,0,4\n")
    with pytest.raises(EveError, match=r"Row 1 of .*ABSTRACT_groundTruth\.csv \(from 0\) has no image"):
        read(folder, entry(), LABELS)
