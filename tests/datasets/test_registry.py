from pathlib import Path

import pytest
import yaml

from eve_pipeline.datasets.registry import DatasetEntry, dataset_entries, dataset_entry
from eve_pipeline.errors import EveError
from eve_pipeline.responses.cells import Cell, tasks
from eve_pipeline.settings import Settings

FOLDER = {"reader": "folder", "labels": "mikels", "path": "/data"}
DRAWN = {"reader": "abstract", "labels": "abstract", "draw": {"seed": 0, "per_emotion": 60}}
HARD = {"classifier": "tiny", "n": 10}


def write(settings: Settings, key: str, fields: dict[str, object]) -> None:
    folder = settings.home / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{key}.yaml").write_text(yaml.safe_dump(fields))


def test_the_user_s_entries_join_the_shipped_ones(settings: Settings):
    shipped = set(dataset_entries(settings))
    write(settings, "mine", FOLDER)
    assert set(dataset_entries(settings)) == shipped | {"mine"}
    assert dataset_entry("mine", settings).path == Path("/data")


def test_an_unknown_dataset_lists_the_known(settings: Settings):
    write(settings, "mine", FOLDER)
    with pytest.raises(EveError, match=r"(?s)no dataset 'yours'.*Known: .*mine"):
        dataset_entry("yours", settings)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"draw": DRAWN["draw"]}, "give either path or draw"),
        ({"path": None}, "give either path or draw"),
        ({"rating_scale": [7, 1]}, "rating_scale is"),
        ({"neutral_band": -1}, "neutral_band"),
        ({"lables": "mikels"}, "lables: Extra inputs"),
        ({"hard_subset": HARD | {"threshold": 1.5}}, "hard_subset.threshold"),
        ({"hard_subset": HARD | {"allocation": "fair"}}, "hard_subset.allocation"),
    ],
)
def test_a_wrong_field_is_named(settings: Settings, change: dict[str, object], problem: str):
    write(settings, "mine", FOLDER | change)
    with pytest.raises(EveError, match=rf"(?s)mine\.yaml: entry 'mine' is not valid: .*{problem}"):
        dataset_entries(settings).complete()


def test_two_datasets_may_not_share_a_subset(settings: Settings):
    write(settings, "mine", FOLDER | {"hard_subset": HARD})
    assert dataset_entry("mine", settings).subsets == ("mine", "mine-hard")
    write(settings, "mine-hard", FOLDER)
    for key in ("mine", "mine-hard"):
        with pytest.raises(EveError, match=f"Several datasets have a subset 'mine-hard', among them '{key}'"):
            dataset_entry(key, settings)
    assert dataset_entry("sample", settings).key == "sample"


def test_a_dataset_of_an_unknown_label_list_stops_no_other(settings: Settings):
    write(settings, "mine", FOLDER | {"labels": "mood"})
    with pytest.raises(EveError, match=r"'mine' cannot be used: There is no label list 'mood'"):
        dataset_entry("mine", settings)
    assert set(dataset_entries(settings)) == {"sample"}
    assert {Cell.of("", task).subset for task in tasks(settings)} == {"sample", "sample-hard"}


def test_location_and_root(settings: Settings, tmp_path: Path):
    table = tmp_path / "ratings.csv"
    table.touch()
    manifest = DatasetEntry.model_validate(FOLDER | {"key": "mine", "path": table})
    assert (manifest.location(settings), manifest.root(settings)) == (table, tmp_path)
    drawn = DatasetEntry.model_validate(DRAWN | {"key": "drawn"})
    assert drawn.root(settings) == drawn.location(settings) == settings.home / "datasets" / "drawn" / "drawn"
