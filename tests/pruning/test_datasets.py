"""Tables of datasets without an entry go once nothing that stays was asked about them."""

from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl
import pytest

from eve_pipeline.pruning.datasets import removed_tables
from eve_pipeline.pruning.leftovers import Leftover
from eve_pipeline.pruning.revisions import Rule, find_revisions
from eve_pipeline.responses.answering import answer_cell
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.locks import hold
from eve_pipeline.responses.runner import ask_cells
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table, write_table
from tests.chat_server import ChatServer

SIMPLE = Cell("served", "photos", "simple")


@pytest.fixture
def removed(prepared: Settings, chat_server: ChatServer) -> Settings:
    """Cell SIMPLE was asked, and its dataset's entry is gone; so is the subset `photos-hard`, about which nothing was asked."""
    warehouse = Warehouse.of(prepared)
    items = read_table("benchmark_items", [warehouse.file("benchmark_items", "photos")])
    write_table(items.with_columns(subset=pl.lit("photos-hard")), "benchmark_items", warehouse.file("benchmark_items", "photos-hard"))
    [outcome] = ask_cells([SIMPLE], prepared)
    assert outcome.is_done
    answer_cell(SIMPLE, prepared)
    assert names(removed_tables(prepared)) == {"benchmark_items/photos-hard"}
    (prepared.home / "datasets" / "photos.yaml").unlink()
    return prepared


def names(leftovers: list[Leftover]) -> set[str]:
    return {f"{one.path.parent.name}/{one.path.stem}" for one in leftovers}


def test_they_go_with_the_cells(removed: Settings, prune: Callable[..., str]):
    assert names(removed_tables(removed)) == {"benchmark_items/photos-hard"}
    going = find_revisions(Rule(is_removed=True), removed).revisions
    all_of_it = {"images/photos", "rejected_images/photos", "benchmark_items/photos", "benchmark_items/photos-hard"}
    assert names(removed_tables(removed, going)) == all_of_it

    assert "tables of removed datasets" not in prune("--yes")
    assert "tables of removed datasets  4" in prune("--removed")
    assert "Removed 4 of 4 files" in prune("--removed", "--yes")
    assert not [file for table in ("images", "benchmark_items", "rejected_images") for file in Warehouse.of(removed).files(table)]


def test_those_of_a_cell_that_is_held_stay(removed: Settings, prune: Callable[..., str]):
    with hold(SIMPLE, "photos", Warehouse.of(removed)):
        told = prune("--removed", "--yes")
    assert "Removed 2 of 5 files" in told, "the subset's items, and what earlier checks of the images found"
    assert "Stays: served x photos.simple is being asked by" in told
    assert Warehouse.of(removed).file("images", "photos").exists()


def test_those_of_imported_replies_stay(removed: Settings):
    file = Warehouse.of(removed).file("requests", SIMPLE.model, SIMPLE.task)
    write_table(read_table("requests", [file]).with_columns(origin=pl.lit("imported")), "requests", file)
    going = find_revisions(Rule(is_removed=True), removed).revisions
    assert names(removed_tables(removed, going)) == {"benchmark_items/photos-hard"}


def test_those_of_studies_stay(removed: Settings):
    texts = ("study", "task", "image_id", "truth", "answer", "prompt", "stratum", "order_key")
    task = dict.fromkeys(texts, "x") | {"dataset": "photos", "models": [], "config_digests": [], "is_control": False}
    rows = pl.DataFrame([task | {"created_at": datetime.now(UTC)}], schema=contracts()["annotation_tasks"].polars_schema)
    write_table(rows, "annotation_tasks", Warehouse.of(removed).file("annotation_tasks", "x"))
    going = find_revisions(Rule(is_removed=True), removed).revisions
    assert names(removed_tables(removed, going)) == {"benchmark_items/photos-hard"}
