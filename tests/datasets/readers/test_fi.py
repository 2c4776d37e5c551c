import json
from pathlib import Path

import pytest

from eve_pipeline.datasets.readers.fi import read
from eve_pipeline.errors import EveError
from tests.datasets.layouts import MIKELS, fi_csv, fi_flat, fi_folders, picture, write

FLICKR = "https://farm4.staticflickr.com/3800"


def append(folder: Path, emotion: str, row: str) -> None:
    (file,) = (folder / "agg").glob(f"{emotion}_*.csv")
    file.write_text(f"{file.read_text()}{row}\n")


@pytest.mark.parametrize("below", ["", "emotion_dataset"])
def test_class_folders(tmp_path: Path, entry, below: str):
    fi_folders(tmp_path / below)
    images, rejected = read(tmp_path, entry(), MIKELS)
    assert images["label"].value_counts().sort("label").rows() == [(emotion, 2) for emotion in MIKELS]
    assert rejected.is_empty()


def test_flat_names(tmp_path: Path, entry):
    fi_flat(tmp_path)
    picture(tmp_path / "Sad_77.JPG")
    images, rejected = read(tmp_path, entry(), MIKELS)
    assert images.select("path", "label").row(0) == ("Sad_77.JPG", "sadness")
    assert sorted(images["label"]) == sorted([*MIKELS, "sadness"])
    assert rejected.is_empty()


def test_folders_and_names_that_name_no_emotion_or_two(tmp_path: Path, entry):
    for name in ("awe/awe_1.jpg", "awe/2.jpg", "awe/fear_3.jpg", "boredom/4.jpg", "sadness/sad_5.jpg"):
        picture(tmp_path / name)
    images, rejected = read(tmp_path, entry(), MIKELS)
    assert images["path"].to_list() == ["awe/2.jpg", "awe/awe_1.jpg", "sadness/sad_5.jpg"]
    assert rejected.rows() == [
        ("awe/fear_3.jpg", "contradictory label", "in the folder awe, but named fear"),
        ("boredom/4.jpg", "unknown label", f"'boredom' is none of the labels {', '.join(MIKELS)}"),
    ]


def test_judgements_keep_what_more_agreed_on(tmp_path: Path, entry):
    images, rejected = read(fi_csv(tmp_path), entry(), MIKELS)
    assert images.select("path", "label", "label_status").rows() == [
        (f"pictures/{number}_a.jpg", emotion, "single") for number, emotion in enumerate(MIKELS)
    ]
    assert json.loads(images["attributes"][0]) == {
        "url": f"{FLICKR}/0_a.jpg",
        "judgements": [{"emotion": "amusement", "agree": 4, "disagree": 1}],
    }
    assert rejected.rows() == [(f"{number}_b.jpg", "not agreed", f"agree and disagree: {e} 2 to 3") for number, e in enumerate(MIKELS)]


def test_a_tie_of_judgements_is_not_agreed(tmp_path: Path, entry):
    append(fi_csv(tmp_path), "awe", f"9,{FLICKR}/tie.jpg,2,2")
    assert ("tie.jpg", "not agreed", "agree and disagree: awe 2 to 2") in read(tmp_path, entry(), MIKELS).rejected.rows()


def test_a_url_of_several_emotions_has_a_label_only_where_one_was_agreed_on(tmp_path: Path, entry):
    fi_csv(tmp_path)
    append(tmp_path, "fear", f"9,{FLICKR}/0_a.jpg,4,1")
    append(tmp_path, "awe", f"9,{FLICKR}/1_a.jpg,0,5")
    images, rejected = read(tmp_path, entry(), MIKELS)
    assert images["path"].to_list() == [f"pictures/{number}_a.jpg" for number in (0, 2, 3, 4, 5, 6, 7)]
    assert images["label"][0] == "amusement"
    assert [j["emotion"] for j in json.loads(images["attributes"][0])["judgements"]] == ["amusement", "fear"]
    assert (
        "pictures/1_a.jpg",
        "contradictory label",
        "agreed on for anger, awe; agree and disagree: anger 4 to 1, awe 5 to 0",
    ) in rejected.rows()


def test_rows_of_one_emotion_add_up_and_the_same_row_counts_once(tmp_path: Path, entry):
    fi_csv(tmp_path)
    append(tmp_path, "awe", f"0,{FLICKR}/2_a.jpg,1,4")
    append(tmp_path, "awe", f"5,{FLICKR}/2_a.jpg,5,0")
    assert ("pictures/2_a.jpg", "not agreed", "agree and disagree: awe 4 to 6") in read(tmp_path, entry(), MIKELS).rejected.rows()


def test_rows_without_a_file_files_without_a_row_and_names_that_occur_twice(tmp_path: Path, entry):
    fi_csv(tmp_path)
    (tmp_path / "pictures" / "3_a.jpg").rename(tmp_path / "pictures" / "3_A.JPG")
    (tmp_path / "pictures" / "4_a.jpg").unlink()
    picture(tmp_path / "pictures" / "stray.jpg")
    picture(tmp_path / "more" / "5_a.jpg")
    append(tmp_path, "awe", f"7,{FLICKR}/with%20space.jpg?size=large,0,3")
    picture(tmp_path / "pictures" / "with space.jpg")
    images, rejected = read(tmp_path, entry(), MIKELS)
    assert images.height == 8
    assert {"pictures/3_A.JPG", "more/5_a.jpg", "pictures/with space.jpg"} < set(images["path"])
    assert rejected.filter(rejected["reason"] != "not agreed").rows() == [
        ("4_a.jpg", "missing", f"no file 4_a.jpg of {FLICKR}/4_a.jpg below the folder"),
        ("pictures/5_a.jpg", "duplicate", "another file has the same name"),
        ("pictures/stray.jpg", "nothing usable", "no row of agg/*.csv names it"),
    ]


def test_a_csv_file_of_no_emotion_is_rejected_as_a_whole(tmp_path: Path, entry):
    write(fi_csv(tmp_path) / "agg" / "summary.csv", "a,b\n")
    path, reason, _ = read(tmp_path, entry(), MIKELS).rejected.row(0)
    assert (path, reason) == ("agg/summary.csv", "unknown label")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("_,url,disagree,agree\n0,https://a/b.jpg,1,4\n", r"Row 0 of .*awe_200\.csv \(from 0\) is not _, url.*url, disagree, agree"),
        ("0,https://a/b.jpg,1,4\n1,https://a/c.jpg,many,4\n", r"Row 1 of .*many"),
        ("0,no link,1,4\n", r"Row 0 of .*no link"),
        ("0,https://[a/b.jpg,1,4\n", r"Row 0 of .*https://\[a/b\.jpg"),
        ("0,https://a/b.jpg,1\n", r"Expected the columns _, url, disagree, agree in .*awe_200\.csv; found 3 columns"),
        ("", r"awe_200\.csv is not a table of judgements"),
    ],
)
def test_a_table_that_is_laid_out_otherwise_is_named(tmp_path: Path, entry, content: str, problem: str):
    write(fi_csv(tmp_path) / "agg" / "awe_200.csv", content)
    with pytest.raises(EveError, match=problem):
        read(tmp_path, entry(), MIKELS)


def test_a_missing_table_is_named(tmp_path: Path, entry):
    (fi_csv(tmp_path) / "agg" / "fear_600.csv").unlink()
    with pytest.raises(EveError, match=r"Expected fear_\*\.csv in .*agg; found 7 CSV files"):
        read(tmp_path, entry(), MIKELS)


def test_a_wrong_folder_and_no_images_are_named(tmp_path: Path, entry):
    with pytest.raises(EveError, match=r"Expected agg/<emotion>_\*\.csv, folders named .* in .*absent"):
        read(tmp_path / "absent", entry(), MIKELS)
    for image in fi_csv(tmp_path).rglob("*.jpg"):
        image.unlink()
    with pytest.raises(EveError, match=r"Expected agg/<emotion>_\*\.csv, folders named .*found .* with agg, pictures"):
        read(tmp_path, entry(), MIKELS)
