import json
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eve_pipeline.datasets.readers.emoset import _parse_row, read
from eve_pipeline.errors import EveError
from tests.datasets.layouts import MIKELS, emoset, picture


@pytest.mark.parametrize("shapes", [(3, 3, 3), (4, 4, 4), (4, 3, 4)])
def test_both_row_shapes_are_read(tmp_path: Path, entry, shapes: tuple[int, ...]):
    images, rejected = read(emoset(tmp_path, shapes), entry(), MIKELS)
    assert rejected.is_empty()
    assert images.height == 24
    assert images["split"].to_list() == ["train"] * 8 + ["val"] * 8 + ["test"] * 8
    assert images.filter(images["split"] == "val").select("path", "label").row(1) == ("image/anger/anger_00001.jpg", "anger")
    assert json.loads(images["attributes"][0]) == {
        "image_id": "amusement_00000",
        "emotion": "amusement",
        "brightness": 0.7,
        "colorfulness": 0.4,
        "object": ["Tree", "Sky"],
    }


def test_an_id_may_stand_last_and_rows_may_be_mixed(tmp_path: Path, entry):
    emoset(tmp_path)
    rows = json.loads((tmp_path / "train.json").read_text())
    rows[0] = [*rows[0], "amusement_00000"]
    rows[1] = [rows[1][0], "anger_00000", *rows[1][1:]]
    (tmp_path / "train.json").write_text(json.dumps(rows))
    images, rejected = read(tmp_path, entry(), MIKELS)
    assert images["path"].to_list()[:2] == ["image/amusement/amusement_00000.jpg", "image/anger/anger_00000.jpg"]
    assert rejected.is_empty()


def test_the_numbers_of_info_json_play_no_part(tmp_path: Path, entry):
    with_numbers = read(emoset(tmp_path), entry(), MIKELS).images
    (tmp_path / "info.json").unlink()
    assert read(tmp_path, entry(), MIKELS).images.equals(with_numbers)


def test_an_annotation_that_cannot_be_read_costs_the_attributes_and_is_told(tmp_path: Path, entry):
    folder = emoset(tmp_path) / "annotation" / "fear"
    (folder / "fear_00000.json").unlink()
    (folder / "fear_00001.json").write_text("{")
    (folder / "fear_00002.json").write_text("[1]")
    (tmp_path / "annotation" / "awe" / "awe_00000.json").write_text("[" * 100_000)
    (tmp_path / "annotation" / "awe" / "awe_00001.json").write_text(r'{"scene": "\ud800"}')
    images, rejected = read(tmp_path, entry(), MIKELS)
    assert images.height == 24
    without = {f"image/fear/fear_0000{n}.jpg" for n in range(3)} | {f"image/awe/awe_0000{n}.jpg" for n in range(2)}
    assert set(images.filter(images["attributes"].is_null())["path"]) == without
    assert rejected.sort("path").select("path", "reason").rows() == [
        ("annotation/awe/awe_00000.json", "unreadable"),
        ("annotation/awe/awe_00001.json", "unreadable"),
        ("annotation/fear/fear_00000.json", "missing"),
        ("annotation/fear/fear_00001.json", "unreadable"),
        ("annotation/fear/fear_00002.json", "unreadable"),
    ]
    assert rejected["detail"].str.ends_with("its image is used without attributes").all()


def test_no_annotation_outside_the_folder_is_opened(tmp_path: Path, entry):
    folder = emoset(tmp_path / "EmoSet")
    (tmp_path / "secret.json").write_text('{"emotion": "amusement"}')
    (folder / "train.json").write_text('[["amusement", "image/amusement/amusement_00000.jpg", "../secret.json"]]')
    images, rejected = read(folder, entry(), MIKELS)
    assert images["attributes"][0] is None
    assert ("../secret.json", "outside the folder") in rejected.select("path", "reason").rows()


def test_images_that_no_split_lists_are_rejected_and_rows_without_a_file_stay_for_verification(tmp_path: Path, entry):
    emoset(tmp_path)
    picture(tmp_path / "image" / "awe" / "more.jpg")
    (tmp_path / "image" / "awe" / "awe_00000.jpg").unlink()
    images, rejected = read(tmp_path, entry(), MIKELS)
    assert "image/awe/awe_00000.jpg" in images["path"]
    assert rejected.rows() == [("image/awe/more.jpg", "nothing usable", "not listed in train.json, val.json, test.json")]


def test_an_image_whose_annotation_or_folder_says_otherwise_has_no_single_label(tmp_path: Path, entry):
    emoset(tmp_path)
    rows = json.loads((tmp_path / "train.json").read_text())
    rows[0][0] = "awe"
    (tmp_path / "train.json").write_text(json.dumps(rows))
    annotation = tmp_path / "annotation" / "fear" / "fear_00002.json"
    annotation.write_text('{"emotion": "Sadness"}')
    images, rejected = read(tmp_path, entry(), MIKELS)
    assert images.height == 22
    assert rejected.rows() == [
        (
            "image/amusement/amusement_00000.jpg",
            "contradictory label",
            "train.json says awe, its folder amusement, its annotation amusement",
        ),
        ("image/fear/fear_00002.jpg", "contradictory label", "test.json says fear, its folder fear, its annotation Sadness"),
    ]


def test_a_label_that_is_not_in_the_list_is_rejected(tmp_path: Path, entry):
    images, rejected = read(emoset(tmp_path), entry(), MIKELS[:-1])
    assert images.height == 21
    assert set(rejected["reason"]) == {"unknown label"}


@pytest.mark.parametrize("name", ["train.json", "val.json", "test.json"])
def test_a_missing_split_is_named(tmp_path: Path, entry, name: str):
    (emoset(tmp_path) / name).unlink()
    with pytest.raises(EveError, match=rf"Expected EmoSet's list of images at .*{name}; found .* with annotation, image, info\.json"):
        read(tmp_path, entry(), MIKELS)


def test_a_wrong_folder_and_no_images_are_named(tmp_path: Path, entry):
    with pytest.raises(EveError, match=r"train\.json; found no folder .*absent"):
        read(tmp_path / "absent", entry(), MIKELS)
    emoset(tmp_path)
    for image in tmp_path.rglob("*.jpg"):
        image.unlink()
    with pytest.raises(EveError, match=r"Expected image/<emotion>/\*\.jpg in"):
        read(tmp_path, entry(), MIKELS)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", r"val\.json is not JSON"),
        ('{"fear": []}', r"val\.json is not a list of rows"),
        ('[["fear", "image/fear/1.jpg"]]', r"Row 0 of .*val\.json \(from 0\) is neither"),
        ('[["fear", "image/fear/1.jpg", "a.json"], ["fear", 3, "a.json"]]', r"Row 1 of .* is neither .*3"),
        ('[["fear", "1", "2", "a.jpg", "a.json"]]', r"Row 0 of"),
        ('["fear"]', r"Row 0 of"),
        (r'[["fear", "image/\ud800.jpg", "a.json"]]', r"Row 0 of .*ud800"),
        ("[" * 100_000, r"val\.json is not JSON"),
    ],
)
def test_a_split_that_is_laid_out_otherwise_is_named(tmp_path: Path, entry, content: str, problem: str):
    (emoset(tmp_path) / "val.json").write_text(content)
    with pytest.raises(EveError, match=problem):
        read(tmp_path, entry(), MIKELS)


@given(st.recursive(st.none() | st.text() | st.integers(), st.lists, max_leaves=6))
def test_any_other_row_is_refused_by_number(row: object):
    assume(not (isinstance(row, list) and any(isinstance(cell, str) and cell.lower().endswith(".json") for cell in row)))
    with pytest.raises(EveError, match=r"Row 7 of train\.json"):
        _parse_row(row, 7, Path("train.json"))
