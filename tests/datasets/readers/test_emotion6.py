from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.datasets.readers.emotion6 import _parse_header, read
from eve_pipeline.errors import EveError
from tests.datasets.layouts import EMOTION6, emotion6, picture

EKMAN = EMOTION6[:-1]
NAMES = ("image_filename", "valence", "arousal", *(f"prob. {emotion}" for emotion in EMOTION6))


def scaled(entry):
    return entry(rating_scale=(1, 9))


def shares(votes: list[dict[str, object]]) -> dict[str, float]:
    return {vote["label"]: round(vote["share"], 4) for vote in votes}


def rewrite(folder: Path, *rows: str) -> Path:
    file = folder / "ground_truth.txt"
    file.write_text("\n".join([file.read_text().splitlines()[0], *rows]) + "\n")
    return folder


def test_votes_ratings_and_keyword(tmp_path: Path, entry):
    images, rejected = read(emotion6(tmp_path), scaled(entry), EMOTION6)
    assert (images.height, rejected.height) == (12, 0)
    disgust = images.row(2, named=True)
    assert (disgust["path"], disgust["label"], disgust["label_status"]) == ("images/disgust/1.jpg", "disgust", "single")
    assert shares(disgust["votes"]) == {
        "anger": 0.1333, "disgust": 0.7, "fear": 0, "joy": 0.0667, "sadness": 0.1, "surprise": 0, "neutral": 0,
    }  # fmt: skip
    assert (disgust["valence"], disgust["arousal"], disgust["rating_min"], disgust["rating_max"]) == (2.5, 3.8, 1, 9)
    assert disgust["attributes"] == '{"keyword":"disgust"}'
    assert disgust["n_votes"] is None


def test_the_folder_is_not_the_label(tmp_path: Path, entry):
    images = read(emotion6(tmp_path), scaled(entry), EMOTION6).images
    assert images.select("path", "label").row(0) == ("images/anger/1.jpg", "joy")


def test_six_classes_leave_neutral_out_and_share_the_rest(tmp_path: Path, entry):
    emotion6(tmp_path)
    rewrite(tmp_path, "fear/1.jpg\t5\t4\t0\t0\t0.2\t0.1\t0\t0\t0.7", "fear/2.jpg\t5\t4\t0\t0\t0\t0\t0\t0\t1")
    seven, six = (read(tmp_path, scaled(entry), labels).images for labels in (EMOTION6, EKMAN))
    assert seven["label"].to_list() == ["neutral", "neutral"]
    assert six["label"].to_list() == ["fear", None]
    assert six["label_status"].to_list() == ["single", "none"]
    assert shares(six["votes"][0])["fear"] == pytest.approx(2 / 3, abs=1e-4)
    assert six["valence"].to_list() == [5, 5]


def test_a_tie_has_no_label(tmp_path: Path, entry):
    rewrite(emotion6(tmp_path), "joy/1.jpg\t5\t4\t0.0666667\t0\t0.466667\t0.466667\t0\t0\t0")
    assert read(tmp_path, scaled(entry), EMOTION6).images.select("label", "label_status").row(0) == (None, "tie")


@pytest.mark.parametrize(
    "header",
    [
        " ".join(f"[{name}]" for name in NAMES),
        "\t".join(NAMES),
        "\ufeff" + "\t ".join(f"[{name}]" for name in NAMES),
        "\t".join(f" [ {name.title()} ] " for name in NAMES),
    ],
)
def test_headers_with_and_without_brackets(tmp_path: Path, entry, header: str):
    images = read(emotion6(tmp_path, header), scaled(entry), EMOTION6).images
    assert images["label"].to_list()[2] == "disgust"


def test_columns_are_found_by_name(tmp_path: Path, entry):
    emotion6(tmp_path, "\t".join(f"[{name}]" for name in (NAMES[0], NAMES[2], NAMES[1], *NAMES[3:])))
    assert read(tmp_path, scaled(entry), EMOTION6).images.select("valence", "arousal").row(2) == (3.8, 2.5)


def test_rows_separated_by_spaces_and_blank_lines(tmp_path: Path, entry):
    rewrite(emotion6(tmp_path), "", "images/joy/1.JPG 6 4 0 0 0 1 0 0 0", "   ", "  joy\\2.jpg  6 4   0 0 0 1 0 0 0 ")
    assert read(tmp_path, scaled(entry), EMOTION6).images["path"].to_list() == ["images/joy/1.jpg", "images/joy/2.jpg"]


def test_images_without_a_row_are_rejected_and_rows_without_an_image_stay_for_verification(tmp_path: Path, entry):
    emotion6(tmp_path)
    picture(tmp_path / "images" / "joy" / "3.jpg")
    (tmp_path / "images" / "joy" / "2.jpg").unlink()
    images, rejected = read(tmp_path, scaled(entry), EMOTION6)
    assert "images/joy/2.jpg" in images["path"]
    assert rejected.rows() == [("images/joy/3.jpg", "nothing usable", "not listed in ground_truth.txt")]


@pytest.mark.parametrize("header", ["disgust/1.jpg\t2.5\t3.8\t0.1\t0.7\t0\t0\t0.1\t0\t0", "\t".join(NAMES[:-1]), "", "[a] [b]"])
def test_another_header_is_named(tmp_path: Path, entry, header: str):
    emotion6(tmp_path, header or " ")
    with pytest.raises(EveError, match=r"Expected the columns image_filename, valence, arousal, prob\. anger.*ground_truth\.txt; found"):
        read(tmp_path, scaled(entry), EMOTION6)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("joy/1.jpg\t6\t4\t0\t0\t0\t1\t0\t0", "Line 2 of .* is not a name and 9 numbers"),
        ("joy/1.jpg\t6\t4\t0\t0\t0\tmany\t0\t0\t0", "Line 2 of .* is not a name and 9 numbers.*many"),
        ("joy/1.jpg\t6\t4\t0\t0\t0\t-1\t0\t0\t0", "joy of 'images/joy/1.jpg' is -1"),
        ("joy/1.jpg\t0.5\t4\t0\t0\t0\t1\t0\t0\t0", "valence of 'images/joy/1.jpg' is 0.5, outside 1 to 9"),
        ("", "lists no image"),
    ],
)
def test_a_row_that_is_not_possible_is_named(tmp_path: Path, entry, row: str, problem: str):
    with pytest.raises(EveError, match=problem):
        read(rewrite(emotion6(tmp_path), row), scaled(entry), EMOTION6)


def test_a_wrong_folder_a_missing_file_and_no_images_are_named(tmp_path: Path, entry):
    with pytest.raises(EveError, match=r"Expected Emotion6's ratings and votes at .*; found no folder .*absent"):
        read(tmp_path / "absent", scaled(entry), EMOTION6)
    emotion6(tmp_path)
    for image in tmp_path.rglob("*.jpg"):
        image.unlink()
    with pytest.raises(EveError, match=r"Expected images/<keyword>/<n>\.jpg in .*; found .* with ground_truth\.txt, images, readme\.txt"):
        read(tmp_path, scaled(entry), EMOTION6)
    (tmp_path / "ground_truth.txt").unlink()
    with pytest.raises(EveError, match=r"found .* with images, readme\.txt"):
        read(tmp_path, scaled(entry), EMOTION6)


def test_ratings_need_a_scale_and_labels_must_have_votes(tmp_path: Path, entry):
    with pytest.raises(EveError, match="no rating_scale"):
        read(emotion6(tmp_path), entry(), EMOTION6)
    with pytest.raises(EveError, match=r"(?s)no votes for awe.*--labels ekman"):
        read(tmp_path, scaled(entry), ("awe", "fear"))


@given(st.permutations(NAMES[1:]), st.sampled_from(["\t", " ", "  \t"]))
def test_any_order_and_spacing_of_a_bracketed_header(names: list[str], space: str):
    line = space.join(f"[{name}]" for name in (NAMES[0], *names))
    assert _parse_header(line, Path("x")) == [name.removeprefix("prob. ") for name in names]
