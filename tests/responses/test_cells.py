"""The grid: which cells exist, which are asked by default, and what a part of the labels leaves of a dataset."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

from eve_pipeline.errors import EveError
from eve_pipeline.responses.answering import answer_cell
from eve_pipeline.responses.cells import Cell, select_cells, tasks
from eve_pipeline.responses.extent import Extent
from eve_pipeline.responses.planning import plan_cell, plan_cells
from eve_pipeline.responses.runner import CellOutcome, ask_cells
from eve_pipeline.settings import Settings
from tests.chat_server import ChatServer

PART = Cell("served", "photos", "permutation_4")
FOUR = {"amusement", "contentment", "fear", "sadness"}


@pytest.fixture
def add_entry(settings: Settings, tmp_path: Path) -> Callable[[str, str], None]:
    """A function that registers a dataset of a label list, without any image."""

    def add(key: str, labels: str) -> None:
        folder = settings.home / "datasets"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{key}.yaml").write_text(yaml.safe_dump({"reader": "folder", "labels": labels, "path": str(tmp_path)}))

    return add


def test_a_task_is_there_where_the_dataset_has_the_labels(settings: Settings, add_entry: Callable[[str, str], None]):
    add_entry("six", "emotion6")
    add_entry("art", "mikels")
    assert {"art.permutation_4", "art.label_permutation", "six.label_permutation", "six.simple", "sample.permutation_4"} < set(
        tasks(settings)
    )
    assert "six.permutation_4" not in tasks(settings)


def test_families_are_asked_when_they_are_named(settings: Settings, add_model: Callable[..., None]):
    add_model("m", backend="openai", id="x")
    assert len(select_cells(settings, models=["m"], datasets=["sample"])) == 9
    named = select_cells(settings, models=["m"], datasets=["sample"], prompts=["permutation_4", "simple"])
    assert [cell.prompt for cell in named] == ["permutation_4", "simple"]


def test_a_part_that_the_dataset_lacks_is_refused(
    settings: Settings, add_model: Callable[..., None], add_entry: Callable[[str, str], None]
):
    add_model("m", backend="openai", id="x")
    add_entry("six", "emotion6")
    with pytest.raises(EveError, match=r"'permutation_4' cannot ask about 'six'.*\n.*anger, disgust, fear, joy"):
        select_cells(settings, models=["m"], datasets=["sample", "six"], prompts=["permutation_4"])


def test_a_part_asks_about_its_images_once_in_every_order(prepared: Settings, chat_server: ChatServer):
    plan = plan_cell(PART, prepared)
    assert plan.configs["config_digest"].n_unique() == 24
    assert {frozenset(order) for order in plan.configs["label_order"]} == {frozenset(FOUR)}
    assert plan.configs["label_order"].n_unique() == 24
    assert set(plan.configs["labels"][0]) == FOUR
    assert plan.wanted.height == plan.missing.height == 24 * 3 * len(FOUR)
    assert {image.split("/")[0] for image in plan.wanted["image_id"]} == FOUR
    assert next(iter(ask_cells([PART], prepared))) == CellOutcome(PART, n_requests=288, n_asked=288)
    answers = answer_cell(PART, prepared)
    assert answers.height == 288
    assert answers.group_by("image_id").len()["len"].unique().to_list() == [24]
    assert set(answers.filter(pl.col("status") == "ok")["label"]) <= FOUR


def test_requests_of_earlier_revisions_are_kept_and_not_counted(prepared: Settings, chat_server: ChatServer):
    cell = PART._replace(prompt="mine")
    file = prepared.home / "prompts" / "mine.yaml"
    file.parent.mkdir(exist_ok=True)
    for number, text in enumerate(
        ('Which of $labels? JSON: {"emotion": "..."}', 'Which one of $labels? JSON: {"emotion": "..."}'), start=1
    ):
        file.write_text(yaml.safe_dump({"description": "mine", "answer_key": "emotion", "text": text}))
        assert next(iter(ask_cells([cell], prepared))) == CellOutcome(cell, n_requests=24, n_asked=24)
        assert plan_cell(cell, prepared).requests.height == 24 * number


def test_a_limit_counts_images_not_orders(prepared: Settings):
    assert plan_cell(PART, prepared, Extent(limit=5)).wanted.height == 24 * 5


def test_a_family_of_all_labels_leaves_no_image_out(prepared: Settings):
    plan = plan_cell(PART._replace(prompt="label_permutation"), prepared)
    assert plan.wanted.height == 8 * 24
    assert plan.configs["label_order"].n_unique() == 8


def test_cells_that_are_planned_together_are_planned_as_each_alone(prepared: Settings):
    cells = [PART, PART._replace(prompt="simple"), PART._replace(prompt="no_labels"), PART]
    together = plan_cells(cells, prepared, Extent(limit=5))
    for cell, plan in zip(cells, together, strict=True):
        alone = plan_cell(cell, prepared, Extent(limit=5))
        assert plan.cell == cell
        for planned, expected in zip(plan[1:], alone[1:], strict=True):
            assert planned.equals(expected)
