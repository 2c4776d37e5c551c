"""What goes wrong with files: it is named, the published database stays the last good one, and the same command goes on."""

from pathlib import Path

import polars as pl
import pytest
import yaml

from eve_pipeline.datasets.adding import add_dataset
from eve_pipeline.datasets.catalogue import build_images
from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.items import build_items
from eve_pipeline.quality.checking import CheckResult
from eve_pipeline.quality.suites.images import ELSEWHERE
from eve_pipeline.quality.tables import READABLE, check, check_or_say_why, materialized
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.publish import publish
from eve_pipeline.warehouse.tables import WITHOUT
from tests.failures.home import CELL, N_IMAGES, RUN, Home, copied, told
from tests.shell import eve

POSITIVE_FIRST = "photos.positive_first"


def test_a_corrupted_image_is_rejected_with_its_reason_and_the_run_goes_on(home: Home) -> None:
    image = home.photographs / "awe" / "2.jpg"
    image.write_bytes(image.read_bytes()[:-200])
    before = home.published()
    prepared = eve("datasets", "prepare", "photos", home=home.path)
    assert prepared.returncode == 0, prepared.stderr
    assert home.rows("rejected_images").select("path", "reason").rows() == [("awe/2.jpg", "truncated")]
    assert home.published() == before
    asked = eve(*RUN, "simple", "--no-publish", home=home.path)
    assert asked.returncode == 0, asked.stderr
    assert home.rows("requests")["image_id"].n_unique() == N_IMAGES - 1
    found = checked(home, "images")
    assert (found.name, found.severity) == ("files_usable", "warning")
    assert found.examples[0].startswith("awe/2.jpg: truncated")


def test_a_relabelled_class_folder_is_named_by_a_failed_check(home: Home) -> None:
    (home.photographs / "awe").rename(home.photographs / "awful")
    before = home.published()
    prepared = eve("datasets", "prepare", "photos", home=home.path)
    assert prepared.returncode == 0, prepared.stderr
    assert home.rows("rejected_images")["reason"].to_list() == ["unknown label"] * 3
    said = "".join(eve("check", "--dataset", "photos", home=home.path).stdout.split())
    assert "files_usable" in said
    assert "awful/10.jpg:unknownlabel,'awful'isnoneofthelabels" in said
    assert "every_label_present" in said
    assert "absent:awe" in said
    assert home.published() == before


def checked(home: Home, table: str) -> CheckResult:
    """The check of a table that fails."""
    partition = CELL if table in {"answers", "responses"} else ("photos",)
    [failed] = [result for result in check_or_say_why(table, partition, Settings(home=home.path)).results if not result.passed]
    return failed


@pytest.mark.parametrize("table", ["images", "benchmark_items", "answers", "responses"])
def test_a_truncated_file_is_named_and_nothing_is_published(home: Home, table: str) -> None:
    file, before = home.warehouse.files(table)[0], home.published()
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert str(file) in told(eve("publish", home=home.path))
    assert home.published() == before
    found = checked(home, table)
    assert found.name == "readable"
    assert str(file) in found.message


@pytest.mark.parametrize(("table", "damage"), [("images", "newer"), ("responses", "newer"), ("answers", "holes"), ("responses", "holes")])
def test_a_file_that_is_newer_or_has_holes_is_named_and_nothing_is_published(home: Home, table: str, damage: str) -> None:
    file, before = home.warehouse.files(table)[0], home.published()
    content = file.read_bytes()
    if damage == "newer":
        pl.read_parquet(file).write_parquet(file, metadata={"contract": table, "contract_version": "99"})
    else:  # as a disk leaves after a crash: of the right length, with a good footer
        file.write_bytes(content[:4] + bytes(len(content) // 2) + content[4 + len(content) // 2 :])
    with pytest.raises(EveError) as raised:
        publish(home.warehouse, Settings(home=home.path))
    assert str(file) in raised.value.problem
    assert ("version 99" in raised.value.problem) == (damage == "newer")
    assert home.published() == before
    assert str(file) in checked(home, table).message


@pytest.mark.parametrize("table", ["responses", "answers"])
def test_a_file_that_another_program_wrote_is_named_and_nothing_is_published(home: Home, table: str) -> None:
    first = eve("publish", home=home.path)  # so that the index knows the part
    assert first.returncode == 0, first.stderr
    file, before = home.warehouse.files(table)[0], home.published()
    rows = pl.read_parquet(file)
    with file.open("wb") as stream:
        rows.write_parquet(stream)
    problem = told(eve("publish", home=home.path))
    assert f"{file}doesnotsaywhichtable" in problem
    assert "moveitoutofEVE_HOME" in problem
    assert home.published() == before
    assert str(file) in checked(home, table).message


REMAKING = {
    "images": ("datasets", "prepare", "photos"),
    "benchmark_items": ("datasets", "prepare", "photos"),
    "configs": (*RUN, "simple", "--no-publish"),
    "requests": (*RUN, "simple", "--no-publish"),
    "responses": (*RUN, "simple", "--no-publish"),
    "answers": (),
}
"""The command that the advice about a damaged file of a table names, before eve publish."""


@pytest.fixture(scope="module")
def asked_twice(prepared_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose cell was asked in two revisions, and published."""
    folder = tmp_path_factory.mktemp("asked_twice")
    home = copied(prepared_home, folder / "home", folder)
    models = home.path / "models.yaml"
    entries = yaml.safe_load(models.read_text())
    models.write_text(yaml.safe_dump({"served": entries["served"] | {"parameters": {"max_new_tokens": 9}}}))
    asked = eve(*RUN, "simple", home=home.path)
    assert asked.returncode == 0, asked.stderr
    return home


@pytest.mark.parametrize("table", REMAKING)
def test_what_to_do_about_a_damaged_file_loses_nothing(asked_twice: Home, table: str, tmp_path: Path) -> None:
    """The advice is followed to the letter."""
    home = copied(asked_twice, tmp_path / "home", tmp_path)
    before, n_seen, file = home.published(), len(home.server.seen), home.warehouse.files(table)[0]
    assert before[1] == 2 * N_IMAGES
    moved = {one: one.read_bytes() for one in ([file, *home.warehouse.files("requests")] if table == "configs" else [file])}
    cut(file)
    with pytest.raises(EveError) as raised:
        publish(home.warehouse, Settings(home=home.path))
    assert raised.value.problem.count("\n") == 0, "no query of DuckDB, no plan of polars"
    assert raised.value.problem.startswith(f"{file} is not a readable Parquet file: ")
    assert raised.value.hint == f"Put a copy of it back, or move it away: {WITHOUT[table]}"
    for one in moved:
        one.unlink()
    remade = eve(*REMAKING[table], home=home.path) if REMAKING[table] else None
    assert remade is None or remade.returncode == 0, remade.stdout + remade.stderr
    published = eve("publish", home=home.path)
    assert published.returncode == 0, published.stderr
    is_of_cell = table in {"configs", "requests"}
    assert home.published()[1] == (N_IMAGES if is_of_cell else 2 * N_IMAGES)
    n_again = len(home.server.seen) - n_seen
    assert n_again in ({0, N_IMAGES} if table == "responses" else {0}), "one of the two parts, which may hold replies to earlier requests"
    if is_of_cell:
        for one, content in moved.items():
            one.write_bytes(content)
        again = eve("publish", home=home.path)
        assert again.returncode == 0, again.stderr
        assert home.published()[1] == 2 * N_IMAGES


def test_every_table_has_its_advice() -> None:
    assert WITHOUT.keys() == contracts().keys()


def cut(file: Path) -> None:
    """Put the first half of a file in its place, as another file: what is remembered of the old one is of no use."""
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[: len(content) // 2])


def test_damage_fails_the_checks_that_need_the_file_and_no_others(home: Home) -> None:
    settings = Settings(home=home.path)
    entry = add_dataset("paintings", "folder", home.photographs, settings, labels="mikels")
    build_images(entry, settings, home.warehouse)
    build_items(entry, settings, home.warehouse)
    for dataset, prompt in (("photos", "positive_first"), ("paintings", "simple")):  # the latter's images were answered as photos'
        asked = eve("run", "--model", "served", "--dataset", dataset, "--prompt", prompt, "--no-publish", home=home.path)
        assert asked.returncode == 0, asked.stderr
    [part] = home.warehouse.folder("responses").joinpath(*CELL).glob("*.parquet")
    images = home.warehouse.file("images", "photos")
    cut(part)
    cut(images)
    unreadable = {
        (table, partition): result.message
        for table, partition in materialized(settings)
        for result in check_or_say_why(table, partition, settings).results
        if result.name == READABLE
    }
    responses = {("responses", CELL), ("responses", ("served", "paintings.simple"))}
    assert {of for of, message in unreadable.items() if str(part) in message} == responses
    of_images = {("images", ("photos",)), ("benchmark_items", ("photos",)), ("answers", CELL), ("answers", ("served", POSITIVE_FIRST))}
    assert {of for of, message in unreadable.items() if str(images) in message} == of_images
    assert unreadable.keys() == responses | of_images
    [compared] = [result for result in check("images", ("paintings",), settings).results if result.name == ELSEWHERE]
    assert "not compared with photos" in compared.message
    assert build_images(entry, settings, home.warehouse).notes[-1].startswith("not compared with dataset photos")
