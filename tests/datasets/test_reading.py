import os
from pathlib import Path

import polars as pl
import pytest

from eve_pipeline.datasets.reading import (
    found_in,
    image_files,
    match_files,
    require_file,
    require_within,
    spell_labels,
    with_rating_scale,
)
from eve_pipeline.errors import EveError


def test_images_are_listed_in_order_without_hidden_files(tmp_path: Path, paint):
    for name in ("b.JPG", "a/é 1.png", "a/.hidden.jpg", "__MACOSX/a.jpg"):
        paint(tmp_path / name, format="PNG" if name.endswith("png") else "JPEG")
    for name in ("notes.txt", "dataset.yaml", "ReadMe", "README.html", "Thumbs.db", "a/votes.CSV", "a/ratings.parquet", "a/meta.json"):
        (tmp_path / name).touch()
    assert image_files(tmp_path, "images").images["path"].to_list() == ["a/é 1.png", "b.JPG"]


def test_no_suffix_hides_a_file(tmp_path: Path):
    names = ["fear/b.jfif", "fear/c", "fear/d.avif", "fear/f.heic"]
    (tmp_path / "fear").mkdir()
    for name in names:
        (tmp_path / name).touch()
    assert image_files(tmp_path, "images").images["path"].to_list() == names


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, paint):
    paint(tmp_path / "1.jpg")
    place, names = os.open(tmp_path, os.O_RDONLY), ["d" * 250] * 17  # longer than any path that Linux takes
    for name in names:
        os.mkdir(name, dir_fd=place)
        outer, place = place, os.open(name, os.O_RDONLY, dir_fd=place)
        os.close(outer)
    os.close(place)
    with pytest.raises(EveError, match=r"The folder .*ddd cannot be listed: File name too long"):
        image_files(tmp_path, "images")


def test_a_link_to_a_folder_is_listed_and_not_followed(tmp_path: Path, paint):
    paint(tmp_path / "elsewhere" / "1.jpg")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "fear").symlink_to(tmp_path / "elsewhere")
    assert image_files(tmp_path / "root", "images").images["path"].to_list() == ["fear"]


def test_errors_name_what_was_expected_and_found(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(EveError, match=r"Expected holiday pictures in .*; found .* with notes\.txt"):
        image_files(tmp_path, "holiday pictures")
    with pytest.raises(EveError, match=r"Expected holiday pictures in .*absent; found .* with notes\.txt"):
        image_files(tmp_path / "absent", "holiday pictures")
    with pytest.raises(EveError, match=r"Expected votes at .*v\.csv; found no folder .*absent"):
        require_file(tmp_path / "absent" / "v.csv", "votes")


def test_long_folders_are_cut(tmp_path: Path):
    for index in range(10):
        (tmp_path / f"{index}.txt").touch()
    with pytest.raises(EveError, match=r"7\.txt and 2 more"):
        require_file(tmp_path / "v.csv", "votes")


def test_labels_are_spelled_as_in_the_list():
    frame = pl.DataFrame({"path": list("abcd"), "label": [" FEAR", "sad", None, "boredom"]})
    images, rejected = spell_labels(frame, ("Fear", "sadness"), {"sad": "sadness"})
    assert images.rows() == [("a", "Fear", "single"), ("b", "sadness", "single"), ("c", None, "none")]
    assert rejected.rows() == [("d", "unknown label", "'boredom' is none of the labels Fear, sadness")]


def test_a_synonym_never_replaces_a_label_of_the_list():
    frame = pl.DataFrame({"path": ["a"], "label": ["sad"]})
    assert spell_labels(frame, ("sad", "sadness"), {"sad": "sadness"}).images["label"].to_list() == ["sad"]


def test_a_value_outside_names_its_row():
    frame = pl.DataFrame({"path": ["a", "b", "c"], "valence": [1.0, None, 7.5]})
    with pytest.raises(EveError, match=r"valence of 'c' is 7\.5, outside 1 to 7 \(1 such rows\)"):
        require_within(frame, ["valence"], 1, 7)
    require_within(frame, ["valence"], 1, 7.5)


def test_ratings_need_a_scale(entry):
    frame = pl.DataFrame({"path": ["a"], "arousal": [2.0]})
    with pytest.raises(EveError, match=r"(?s)ratings \(arousal\) but no rating_scale.*--rating-scale 1 7"):
        with_rating_scale(frame, entry())
    scaled = with_rating_scale(frame, entry(rating_scale=(1, 9), neutral_band=0.5)).row(0, named=True)
    assert scaled == {"path": "a", "arousal": 2.0, "rating_min": 1.0, "rating_max": 9.0, "neutral_band": 0.5}


def test_no_ratings_no_scale(entry):
    frame = pl.DataFrame({"path": ["a"]})
    assert with_rating_scale(frame, entry()).columns == ["path"]


def test_a_name_that_is_not_utf_8_is_rejected_by_a_name_that_can_be_written(tmp_path: Path, paint):
    paint(tmp_path / "fear" / "é.jpg")
    with (tmp_path / os.fsdecode(b"fear/caf\xe9.jpg")).open("wb"):
        pass
    images, rejected = image_files(tmp_path, "images")
    assert images["path"].to_list() == ["fear/é.jpg"]
    assert rejected.rows() == [("fear/caf\\xe9.jpg", "unreadable name", "the name of the file is not UTF-8; rename it")]
    assert str(found_in(tmp_path / "fear")).endswith("with caf\\xe9.jpg, é.jpg")


def test_rows_are_matched_to_files_whatever_their_case_and_the_exact_name_goes_first(tmp_path: Path, paint):
    for name in ("A.jpg", "a.jpg", "B.JPG", "c.jpg"):
        paint(tmp_path / name, format="JPEG")
    rows = pl.DataFrame({"path": ["a.jpg", "A.jpg", "b.jpg", "absent.jpg"], "n": [1, 2, 3, 4]})
    images, rejected = match_files(rows, image_files(tmp_path, "images"), "votes.csv")
    assert images.rows() == [("a.jpg", 1), ("A.jpg", 2), ("B.JPG", 3), ("absent.jpg", 4)]
    assert rejected.rows() == [("c.jpg", "nothing usable", "not listed in votes.csv")]
