"""A task's revision follows what is asked about which images, and nothing else."""

import os
from pathlib import Path

import pytest
import yaml
from PIL import Image

from eve_pipeline.datasets.catalogue import build_images
from eve_pipeline.datasets.registry import dataset_entry
from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.items import build_items
from eve_pipeline.responses.task_revisions import task_revision
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse

TEXT = 'Which of $labels?\nAnswer with JSON: {"prediction": "<emotion>"}'


def write_prompt(settings: Settings, **fields: object) -> None:
    file = settings.home / "prompts" / "mine.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump({"description": "A user's.", "answer_key": "prediction", "text": TEXT} | fields))


def prepare(settings: Settings) -> None:
    entry = dataset_entry("photos", settings)
    build_images(entry, settings, Warehouse.of(settings))
    build_items(entry, settings, Warehouse.of(settings))


@pytest.fixture
def before(prepared: Settings) -> str:
    write_prompt(prepared)
    return task_revision("photos.mine", prepared)


def test_what_is_touched_prepared_again_or_described_otherwise_is_the_same(prepared: Settings, photographs: Path, before: str):
    for file in [*photographs.rglob("*.jpg"), *(prepared.home / "prompts").iterdir()]:
        os.utime(file, (0, 0))
    write_prompt(prepared, description="Another.")
    prepare(prepared)
    assert task_revision("photos.mine", prepared) == before


@pytest.mark.parametrize(
    "fields",
    [
        {"text": TEXT + "!"}, {"answer_key": "emotion", "text": TEXT.replace("prediction", "emotion")}, {"label_order": "negative_first"},
        {"labels": ["awe", "fear"]},
    ],
)  # fmt: skip
def test_another_question_is_another_revision(prepared: Settings, before: str, fields: dict[str, object]):
    write_prompt(prepared, **fields)
    assert task_revision("photos.mine", prepared) != before


def test_another_image_is_another_revision_and_its_name_counts(prepared: Settings, photographs: Path, before: str):
    new = photographs / "awe" / "new.jpg"
    Image.new("RGB", (32, 32), "navy").save(new)
    prepare(prepared)
    grown = task_revision("photos.mine", prepared)
    Image.new("RGB", (32, 32), "white").save(new)
    prepare(prepared)
    assert len({before, grown, task_revision("photos.mine", prepared)}) == 3
    new.unlink()
    prepare(prepared)
    assert task_revision("photos.mine", prepared) == before


def test_labels_count_only_where_they_choose_the_images(prepared: Settings, photographs: Path, before: str):
    """A picture of awe, which `mine` asks about whatever its label, becomes one of fear, about which permutation_4 asks."""
    family = task_revision("photos.permutation_4", prepared)
    picture = photographs / "awe" / "0.jpg"
    manifest = Warehouse.of(prepared).file("images", "photos")
    import polars as pl

    from eve_pipeline.warehouse.tables import read_table, write_table

    rows = read_table("images", [manifest])
    relabelled = rows.with_columns(label=pl.when(pl.col("path") == "awe/0.jpg").then(pl.lit("fear")).otherwise("label"))
    assert picture.exists()
    assert not relabelled.equals(rows)
    write_table(relabelled, "images", manifest)
    assert task_revision("photos.mine", prepared) == before
    assert task_revision("photos.permutation_4", prepared) != family


def test_tasks_differ(prepared: Settings, before: str):
    assert len({before, *(task_revision(f"photos.{prompt}", prepared) for prompt in ("simple", "explanation"))}) == 3


def test_a_task_that_cannot_be_asked_says_why(prepared: Settings):
    write_prompt(prepared, labels=["joy", "surprise"])
    with pytest.raises(EveError, match="'mine' asks about labels that dataset 'photos' lacks"):
        task_revision("photos.mine", prepared)
    with pytest.raises(EveError, match="'sample' is not materialized"):
        task_revision("sample.simple", prepared)
