"""Datasets through Dagster: what the UI shows of images."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from eve_pipeline.datasets.adding import add_dataset
from eve_pipeline.datasets.catalogue import build_images
from eve_pipeline.datasets.registry import dataset_entry
from eve_pipeline.orchestration.assets.datasets import read_images
from eve_pipeline.orchestration.checks import images_checks
from eve_pipeline.orchestration.partitions import sync_partitions
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse


@pytest.fixture
def instance(settings: Settings, photographs: Path) -> Iterator[dg.DagsterInstance]:
    add_dataset("photos", "folder", photographs, settings)
    with dg.DagsterInstance.ephemeral() as instance:
        sync_partitions(instance, settings)
        yield instance


def read(settings: Settings, instance: dg.DagsterInstance) -> tuple[dg.ExecuteInProcessResult, dict[str, dg.AssetCheckEvaluation]]:
    result = dg.materialize([read_images, images_checks], instance=instance, partition_key="photos", resources={"settings": settings})
    return result, {check.check_name: check for check in result.get_asset_check_evaluations()}


def test_every_check_of_images_passes_on_good_images(settings: Settings, instance: dg.DagsterInstance):
    result, checks = read(settings, instance)
    assert result.success
    assert {name for name, check in checks.items() if not check.passed} == set()
    assert {"expected_counts", "not_in_other_datasets", "sha256_unique"} <= set(checks)


def test_what_is_not_as_expected_is_a_warning(settings: Settings, instance: dg.DagsterInstance, photographs: Path):
    entry = dataset_entry("photos", settings)
    file = settings.home / "datasets" / "photos.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"expected": {"images": [25, 30], "labels": {"awe": 3, "fear": 4}}}))
    build_images(entry.model_copy(update={"key": "copy"}), settings, Warehouse.of(settings))
    (photographs / "awe" / "broken.jpg").write_bytes(b"<html>")
    result, checks = read(settings, instance)
    assert result.success, "a warning stops nothing"
    counts, shared = checks["expected_counts"], checks["not_in_other_datasets"]
    assert (counts.passed, counts.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert counts.description == "label awe: 4 images listed, 3 expected; label fear: 3 images listed, 4 expected"
    assert (shared.passed, shared.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert shared.description == "24 of 24 images are in other datasets too: amusement/0.jpg: copy, amusement/0.jpg"
    assert shared.metadata["unexpected"].value == 24
    assert shared.metadata["examples"].value[0] == "amusement/0.jpg: copy, amusement/0.jpg"


def test_the_ui_shows_labels_reasons_and_pictures(settings: Settings, instance: dg.DagsterInstance, photographs: Path):
    (photographs / "awe" / "broken.jpg").write_bytes(b"<html>")
    result, _ = read(settings, instance)
    images, rejected = (event.materialization for event in result.get_asset_materialization_events())
    assert images.metadata["dagster/row_count"].value == 24
    assert images.metadata["notes"].value == "rejected: 1 unreadable"
    assert images.metadata["pictures"].value.startswith("![some images of photos](data:image/jpeg;base64,")
    assert "| sadness" in images.metadata["labels"].value
    assert "| unreadable" in rejected.metadata["reasons"].value
    assert "a web page, not an image" in rejected.metadata["preview"].value
