from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from filelock import FileLock
from PIL import Image

from eve_pipeline.datasets.registry import DatasetEntry
from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.items import prepare_dataset
from eve_pipeline.hard_subset.subset import score_dataset, select_subset
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table, write_table

TINY = {
    "model": "vit_tiny_patch16_224",
    "model_args": {"img_size": 16, "patch_size": 8, "depth": 1, "embed_dim": 16, "num_heads": 1},
    "image_size": 16,
    "optimizer": "adamw",
    "learning_rate": 0.01,
    "epochs": 2,
    "batch_size": 8,
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path, device="cpu")
    write_classifier(settings)
    return settings


def write_classifier(settings: Settings, **fields: object) -> None:
    (settings.home / "classifiers").mkdir(exist_ok=True)
    (settings.home / "classifiers" / "tiny.yaml").write_text(yaml.safe_dump(TINY | fields), encoding="utf-8")


@pytest.fixture
def entry(tmp_path: Path) -> DatasetEntry:
    hard = {"classifier": "tiny", "n": 6, "threshold": 1.0, "seed": 3}
    (tmp_path / "pictures").mkdir()
    return DatasetEntry.model_validate(
        {"key": "d", "reader": "folder", "labels": ["awe", "fear"], "path": tmp_path / "pictures", "hard_subset": hard}
    )


@pytest.fixture
def warehouse(settings: Settings, entry: DatasetEntry) -> Warehouse:
    """Images of a dataset: ten of awe, three of fear."""
    rng = np.random.default_rng(0)
    for n in range(13):
        Image.fromarray(rng.integers(0, 255, (20, 20, 3), np.uint8)).save(entry.root(settings) / f"{n}.png")
    write_images(Warehouse.of(settings), 13)
    return Warehouse.of(settings)


def write_images(warehouse: Warehouse, n: int) -> None:
    schema = contracts()["images"].polars_schema
    common = {"dataset": "d", "width": 20, "height": 20, "bytes": 9, "label_status": "single"}
    rows = [{"image_id": f"{i}", "path": f"{i}.png", "sha256": f"{i:064}", "label": "fear" if i < 3 else "awe"} for i in range(n)]
    write_table(pl.DataFrame([dict.fromkeys(schema) | common | row for row in rows], schema), "images", warehouse.file("images", "d"))


def test_scores_then_subset(entry: DatasetEntry, settings: Settings, warehouse: Warehouse) -> None:
    summary = score_dataset(entry, settings, warehouse)
    scores = read_table("classifier_scores", [warehouse.file("classifier_scores", "d")])
    assert (summary.n_scored, summary.n_folds, summary.n_hard) == (13, 5, 13)
    assert summary.classifier == scores["classifier"][0]
    assert summary.mean_p_true == pytest.approx(scores["p_true"].mean())
    assert summary.accuracy == pytest.approx((scores["p_true"] == scores["p_predicted"]).mean())
    assert summary.notes == ("fear: 3 pictures for 5 folds",)

    assert summary.lines[0] == (
        f"{summary.classifier}: 13 images scored in 5 folds, accuracy {summary.accuracy:.3f}, mean p_true {summary.mean_p_true:.3f}"
    )
    assert summary.lines[1].startswith("hard (p_true < 1.0): 13 of 13 images")
    assert summary.lines[2].startswith(f"calibration: ECE {summary.calibration.ece:.3f} (15 bins)")
    assert summary.curves.group_by("training", "part").len().sort("training", "part").rows() == [
        (n, part, size) for n in range(5) for part, size in (("held out", 1), ("training", 2))
    ]
    kept = {file: file.stat().st_mtime_ns for file in settings.home.glob("cache/trainings/d/*/*")}
    assert sorted(file.name for file in kept) == [f"training-{n}.pt" for n in range(5)]
    again = score_dataset(entry, settings, warehouse)
    assert again.scored.equals(summary.scored)
    assert again.curves.equals(summary.curves)
    assert {file: file.stat().st_mtime_ns for file in settings.home.glob("cache/trainings/d/*/*")} == kept

    selection, balance = select_subset(entry, settings, warehouse)
    assert balance.select("label", "n", "n_hard", "n_drawn").sort("label").rows() == [("awe", 10, 10, 5), ("fear", 3, 3, 1)]
    assert selection.seed == 3
    assert selection.n_hard_by_label == {"awe": 10, "fear": 3}
    assert selection.n_selected_by_label == {"awe": 5, "fear": 1}  # shares 4.6 and 1.4


def test_scores_that_do_not_fit_are_refused(entry: DatasetEntry, settings: Settings, warehouse: Warehouse) -> None:
    with pytest.raises(EveError, match=r"there are none by 'tiny@.*'\nMaterialize classifier_scores"):
        select_subset(entry, settings, warehouse)
    score_dataset(entry, settings, warehouse)
    write_images(warehouse, 12)
    with pytest.raises(EveError, match="1 of them are of images without a label or gone, first 12"):
        select_subset(entry, settings, warehouse)


def test_dataset_without_images_or_hard_subset(entry: DatasetEntry, settings: Settings) -> None:
    empty = Warehouse(settings.home / "elsewhere")
    with pytest.raises(EveError, match="has no images in the warehouse"):
        score_dataset(entry, settings, empty)
    with pytest.raises(EveError, match="has no hard subset"):
        select_subset(entry.model_copy(update={"hard_subset": None}), settings, empty)


def test_scores_of_version_1_have_no_probabilities(entry: DatasetEntry, settings: Settings, warehouse: Warehouse) -> None:
    score_dataset(entry, settings, warehouse)
    file = warehouse.file("classifier_scores", "d")
    scores = read_table("classifier_scores", [file])
    metadata = {"contract": "classifier_scores", "contract_version": "1"}
    scores.drop("probabilities").write_parquet(file, metadata=metadata)
    older = read_table("classifier_scores", [file])
    assert older["probabilities"].is_null().all()
    assert older.drop("probabilities").equals(scores.drop("probabilities"))
    assert len(select_subset(entry, settings, warehouse).selection.image_ids) == 6


def test_one_process_scores_a_dataset(entry: DatasetEntry, settings: Settings, warehouse: Warehouse) -> None:
    with FileLock(warehouse.lock("classifier_scores", "d")), pytest.raises(EveError, match="Another process is scoring dataset 'd'"):
        score_dataset(entry, settings, warehouse)


def test_single_split_says_how_many_have_no_score(entry: DatasetEntry, settings: Settings, warehouse: Warehouse) -> None:
    write_classifier(settings, split="single_80_20")
    summary = score_dataset(entry, settings, warehouse)
    assert (summary.n_folds, summary.n_scored) == (1, 3)
    assert "10 images have no score: the one classifier trained on them, and on nothing else" in summary.notes


def test_prepared_dataset_tells_what_was_scored(entry: DatasetEntry, settings: Settings, warehouse: Warehouse) -> None:
    summary = score_dataset(entry, settings, warehouse)
    folder = entry.location(settings)
    for n in range(13):
        (folder / ("fear" if n < 3 else "awe")).mkdir(exist_ok=True)
        (folder / f"{n}.png").rename(folder / ("fear" if n < 3 else "awe") / f"{n}.png")
    items = prepare_dataset(entry, settings)
    assert items.counts == {"d": 13, "d-hard": 6}
    assert items.balance is not None
    assert [line.split(":")[0] for line in items.notes] == [summary.classifier, "hard (p_true < 1.0)", "calibration", "fear"]
