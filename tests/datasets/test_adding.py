import os
from pathlib import Path

import pytest
import yaml

from eve_pipeline.datasets.adding import add_dataset
from eve_pipeline.datasets.registry import dataset_entry
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings


@pytest.fixture
def ratings(tmp_path: Path, paint) -> Path:
    paint(tmp_path / "data" / "a.jpg")
    file = tmp_path / "data" / "ratings.csv"
    file.write_text("image,valence,arousal\na.jpg,4.5,2\n")
    return file


def written(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.home / "datasets").glob("*"))


def test_the_entry_is_written_with_an_absolute_path(ratings: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ratings.parent)
    entry = add_dataset("mine", "manifest", Path("ratings.csv"), settings, rating_scale=(1, 7), licence="mine alone")
    assert dataset_entry("mine", settings) == entry
    assert written(settings) == ["mine.yaml"]
    assert yaml.safe_load((settings.home / "datasets" / "mine.yaml").read_text()) == {
        "reader": "manifest",
        "labels": "mikels",
        "path": str(ratings),
        "rating_scale": [1.0, 7.0],
        "licence": "mine alone",
    }


def test_a_dataset_yaml_supplies_what_is_not_given(ratings: Path, settings: Settings):
    (ratings.parent / "dataset.yaml").write_text("name: other\nrating_scale: [1, 7]\nlabels: [calm, fear]\nneutral_band: 0.5\n")
    entry = add_dataset("mine", "manifest", ratings, settings, neutral_band=0.25, labels=None)
    assert (entry.key, entry.rating_scale, entry.labels, entry.neutral_band) == ("mine", (1, 7), ("calm", "fear"), 0.25)
    assert dataset_entry("mine", settings) == entry


def test_a_dataset_yaml_in_a_folder(photographs: Path, settings: Settings):
    (photographs / "dataset.yaml").write_text("labels: [fear, awe]\n")
    assert add_dataset("mine", "folder", photographs, settings).labels == ("fear", "awe")


def test_the_reader_supplies_the_label_list(photographs: Path, settings: Settings):
    assert add_dataset("mine", "folder", photographs, settings).labels == "mikels"


def test_the_same_again_changes_nothing(ratings: Path, settings: Settings):
    first = add_dataset("mine", "manifest", ratings, settings, rating_scale=(1, 7))
    assert add_dataset("mine", "manifest", ratings, settings, rating_scale=[1, 7]) == first


def test_a_key_with_other_content_is_taken(ratings: Path, settings: Settings):
    add_dataset("mine", "manifest", ratings, settings, rating_scale=(1, 7))
    with pytest.raises(EveError, match=r"(?s)'mine' is taken by dataset 'mine'.*mine\.yaml"):
        add_dataset("mine", "manifest", ratings, settings, rating_scale=(1, 9))
    assert dataset_entry("mine", settings).rating_scale == (1, 7)


def test_the_name_of_another_dataset_s_subset_is_taken(ratings: Path, settings: Settings):
    (ratings.parent / "dataset.yaml").write_text("rating_scale: [1, 7]\nhard_subset: {classifier: tiny, n: 5}\n")
    add_dataset("mine", "manifest", ratings, settings)
    (ratings.parent / "dataset.yaml").unlink()
    with pytest.raises(EveError, match="'mine-hard' is taken by dataset 'mine'"):
        add_dataset("mine-hard", "manifest", ratings, settings, rating_scale=(1, 7))


@pytest.mark.parametrize(
    ("key", "reader", "name", "options", "problem"),
    [
        ("mine", "manifest", "ratings.csv", {}, "no rating_scale"),
        ("mine", "manifest", "ratings.csv", {"rating_scale": (1, 3)}, "outside 1 to 3"),
        ("mine", "manifest", "ratings.csv", {"rating_scale": (7, 1)}, "rating_scale is \\[lowest, highest\\]"),
        ("mine", "manifest", "ratings.csv", {"rating_scale": (1, 7), "labels": "mikel"}, "(?s)list 'mikel'.*list them under labels: in"),
        ("mine", "manifest", "absent.csv", {"rating_scale": (1, 7)}, "found .* with a.jpg, circle, ratings.csv"),
        ("mine", "folder", "", {}, "no image that can be used, 2 rejected, the first: a.jpg: 'a.jpg' is none of"),
        ("mine", "folder", "circle", {}, "circle leads nowhere: Symlink loop"),
        ("mine", "folder", os.fsdecode(b"\xff"), {}, r"The name .*\\xff is not UTF-8"),
        ("mine", "mainfest", "ratings.csv", {}, "no reader 'mainfest'"),
        ("Not a key", "manifest", "ratings.csv", {"rating_scale": (1, 7)}, "'Not a key' is not valid"),
    ],
)
def test_what_cannot_be_read_is_refused_and_nothing_is_written(
    ratings: Path, settings: Settings, key: str, reader: str, name: str, options: dict, problem: str
):
    (ratings.parent / "circle").symlink_to("circle")
    with pytest.raises(EveError, match=problem):
        add_dataset(key, reader, ratings.parent / name, settings, **options)
    assert written(settings) == []


def test_the_home_of_an_unknown_user_leads_nowhere(settings: Settings):
    with pytest.raises(EveError, match="~nobody-of-this-name/a leads nowhere"):
        add_dataset("mine", "folder", Path("~nobody-of-this-name/a"), settings)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("image,label\nb.jpg,fear\n../c.jpg,awe\n", "None of the 2 images that .* lists is in .*data, the first: b.jpg"),
        ("image,label\n../outside.jpg,fear\n", "None of the 1 images"),
        ("image,label,photographer\na.jpg,NA,Ada\n", "has neither a label, a vote nor a rating"),
    ],
)
def test_a_table_that_no_run_can_use_is_refused(ratings: Path, settings: Settings, paint, content: str, problem: str):
    paint(ratings.parent.parent / "outside.jpg")
    ratings.write_text(content)
    with pytest.raises(EveError, match=problem):
        add_dataset("mine", "manifest", ratings, settings)
    assert written(settings) == []


def test_one_image_of_the_table_is_enough(ratings: Path, settings: Settings):
    ratings.write_text("image,label\nb.jpg,fear\na.jpg,\n")
    assert add_dataset("mine", "manifest", ratings, settings).path == ratings


@pytest.mark.parametrize(
    ("content", "problem"), [("rating: [1, 7]", "dataset.yaml: entry 'mine' is not valid: rating"), ("- 1", "not a mapping")]
)
def test_a_bad_dataset_yaml_is_named(ratings: Path, settings: Settings, content: str, problem: str):
    (ratings.parent / "dataset.yaml").write_text(content)
    with pytest.raises(EveError, match=problem):
        add_dataset("mine", "manifest", ratings, settings)
