"""Whole tables: drift against the materialization before, and files that are damaged, truncated or newer."""

import re
from pathlib import Path

import polars as pl
import pytest

from eve_pipeline.datasets.catalogue import build_images
from eve_pipeline.datasets.registry import dataset_entry
from eve_pipeline.quality.page import findings, write_page
from eve_pipeline.quality.records import Record
from eve_pipeline.quality.tables import check, check_or_say_why, materialized
from eve_pipeline.responses.answering import answer_cell
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.runner import ask_cells
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table, write_table
from tests.shell import eve

PHOTOS = ("photos",)


def failed(record: Record) -> set[str]:
    return {result.name for result in record.results if not result.passed}


def rebuild(settings: Settings) -> None:
    build_images(dataset_entry("photos", settings), settings, Warehouse.of(settings))


def test_a_dataset_that_shrinks_drifts_until_it_is_materialized_again(prepared: Settings, photographs: Path) -> None:
    assert failed(check("images", PHOTOS, prepared)) == set()
    for file in photographs.glob("awe/*.jpg"):
        file.unlink()
    rebuild(prepared)
    for _ in range(2):  # checking again changes nothing
        record = check("images", PHOTOS, prepared)
        assert failed(record) == {"n_images_drift", "label_shares_drift", "every_label_present"}
        assert record.previous is not None
        assert (record.previous.n_rows, record.figures and record.figures.n_rows) == (24, 21)
    rebuild(prepared)
    assert failed(check("images", PHOTOS, prepared)) == {"every_label_present"}


def test_items_that_are_no_images_are_found(prepared: Settings) -> None:
    file = Warehouse.of(prepared).file("benchmark_items", "photos")
    items = read_table("benchmark_items", [file])
    write_table(items.with_columns(image_id=pl.col("image_id").replace(items["image_id"][0], "gone")), "benchmark_items", file)
    record = check("benchmark_items", PHOTOS, prepared)
    assert failed(record) == {"items_have_images", "full_subset_is_whole"}


@pytest.mark.parametrize("damage", ["truncated", "newer"])
@pytest.mark.parametrize("table", ["images", "benchmark_items"])
def test_a_file_that_cannot_be_read_is_named(prepared: Settings, table: str, damage: str) -> None:
    file = Warehouse.of(prepared).file(table, "photos")
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:-20])
    else:
        pl.read_parquet(file).write_parquet(file, metadata={"contract": table, "contract_version": "99"})
    record = check_or_say_why(table, PHOTOS, prepared)
    [finding] = findings([record])
    assert (finding.result.name, finding.result.severity) == ("readable", "error")
    assert str(file) in finding.result.message
    assert str(file) in write_page(Warehouse.of(prepared)).read_text()


def test_from_the_shell_a_relabelled_folder_warns_and_a_truncated_table_fails(prepared: Settings, photographs: Path) -> None:
    assert eve("check", home=prepared.home).returncode == 0
    (photographs / "awe").rename(photographs / "awful")
    rebuild(prepared)
    warned = eve("check", "--dataset", "photos", home=prepared.home)
    assert "every_label_present" in warned.stdout
    file = Warehouse.of(prepared).file("images", "photos")
    file.write_bytes(file.read_bytes()[:100])
    done = eve("check", home=prepared.home)
    assert done.returncode == 1
    assert "images/photos.parquet" in "".join(done.stdout.split())


def test_from_the_shell_a_dataset_is_checked_with_its_cells_and_a_model_by_its_own(prepared: Settings) -> None:
    cells = [Cell("served", "photos", "simple"), Cell("served", "photos", "explanation")]
    for cell in cells:
        next(iter(ask_cells([cell], prepared)))
        write_table(answer_cell(cell, prepared), "answers", Warehouse.of(prepared).file("answers", cell.model, cell.task))

    def n_partitions(*options: str) -> int:
        return int(re.search(r"of (\d+) partitions", eve("check", *options, home=prepared.home).stdout)[1])

    assert n_partitions("--dataset", "photos") == n_partitions() == 2 + 2 * len(cells)
    assert n_partitions("--model", "served") == n_partitions("--dataset", "photos", "--model", "served") == 2 * len(cells)
    refused = eve("check", "--dataset", "served", home=prepared.home)
    assert refused.returncode == 1
    assert "Nothing of served is materialized" in refused.stderr


def test_a_dataset_without_an_entry_is_not_checked(prepared: Settings) -> None:
    """Nobody knows what is expected of it."""
    check("images", PHOTOS, prepared)
    assert set(materialized(prepared)) == {("images", PHOTOS), ("benchmark_items", PHOTOS)}
    (prepared.home / "datasets" / "photos.yaml").unlink()
    assert list(materialized(prepared)) == []
