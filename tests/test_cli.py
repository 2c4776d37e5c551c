"""The shell commands, on a small dataset and a real server."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from eve_pipeline.cli import app
from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publication
from tests.chat_server import ChatServer

Eve = Callable[..., Result]


@pytest.fixture
def eve(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Eve:
    monkeypatch.setenv("EVE_HOME", str(settings.home))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_add_run_and_ask(eve: Eve, prepared: Settings, chat_server: ChatServer):
    cell = ("--model", "served", "--dataset", "photos", "--prompt", "simple")
    planned = eve("plan", *cell)
    assert "24 requests to make" in planned.output
    assert not chat_server.seen

    ran = eve("run", *cell)
    assert ran.exit_code == 0, ran.output
    assert len(chat_server.seen) == 24
    assert "0 requests to make" in eve("plan", *cell).output

    query = "select n_items, n_answered, coverage from marts.weighted_f1 where scoring = 'strict'"
    assert eve("sql", query, "--format", "csv").output == "n_items,n_answered,coverage\n24,24,1.0\n"
    assert json.loads(eve("sql", query, "--format", "json").output) == [{"n_items": 24, "n_answered": 24, "coverage": 1.0}]
    assert pl.read_parquet(io.BytesIO(eve("sql", query, "--format", "parquet").stdout_bytes)).rows() == [(24, 24, 1.0)]
    assert "n_answered" in eve("sql", query).output
    assert "served" in eve("sql", "--named", "leaderboard", "-p", "prompt=simple").output
    assert "photos" in eve("datasets").output
    assert eve("doctor").exit_code == 0

    published = Warehouse.of(prepared).database.resolve()
    assert eve("run", *cell, "--no-publish").exit_code == 0
    assert Warehouse.of(prepared).database.resolve() == published
    assert len(chat_server.seen) == 24


def test_the_database_is_open_to_others_while_a_run_writes(eve: Eve, prepared: Settings):
    cell = ("--model", "served", "--dataset", "photos", "--prompt")
    assert eve("run", *cell, "simple").exit_code == 0
    database = Warehouse.of(prepared).database
    with duckdb.connect(database.resolve(), read_only=True) as reader:
        assert eve("run", *cell, "explanation").exit_code == 0
        assert reader.sql("select count(*) from marts.coverage").fetchall() == [(1,)]
    with duckdb.connect(database.resolve(), read_only=True) as reader:
        assert reader.sql("select count(*) from marts.coverage").fetchall() == [(2,)]
        assert reader.sql("select count(*) from raw.responses").df().iloc[0, 0] == 48


def test_failed_requests_end_with_1_and_keep_the_rest(eve: Eve, prepared: Settings, chat_server: ChatServer):
    chat_server.fault = lambda number: 400 if number == 1 else 0
    ran = eve("run", "--model", "served", "--dataset", "photos", "--prompt", "simple", "--no-publish")
    assert ran.exit_code == 1
    assert "it asks only what failed" in ran.output
    assert "1 requests to make" in eve("plan", "--model", "served", "--dataset", "photos", "--prompt", "simple").output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "--model", "nobody", "--dataset", "photos"), "There is no model 'nobody'"),
        (("run", "--model", "served", "--dataset", "nowhere"), "There is no dataset 'nowhere'"),
        (("run", "--model", "served"), "Name at least one --model and one --dataset or --subset"),
        (("run", "--model", "served", "--dataset", "photos", "--prompt", "rude"), "There is no prompt 'rude'"),
        (("sql", "select 1"), "There is no published database"),
        (("sql", "--named", "nothing"), "There is no query 'nothing'"),
        (("sql", "select 1", "--named", "leaderboard"), "There are two questions"),
        (("sql", "select $x", "-p", "x"), "'x' is not NAME=VALUE"),
        (("sql", "select 1", "--output", "x.txt"), "A table is for the terminal"),
        (("datasets", "add", "more", "--reader", "folder", "--path", "/nowhere"), "/nowhere"),
    ],
)
def test_what_is_wrong_is_told_and_ends_with_1(eve: Eve, prepared: Settings, arguments: tuple[str, ...], told: str):
    result = eve(*arguments)
    assert result.exit_code == 1
    assert told in result.output
    assert "Traceback" not in result.output


def test_a_model_out_of_reach_names_the_ways_to_get_it(eve: Eve, prepared: Settings, add_model: Callable[..., None], tmp_path: Path):
    add_model("mine", backend="transformers", id="org/mine", path=str(tmp_path / "nowhere"))
    result = eve("run", "--model", "mine", "--dataset", "photos", "--prompt", "simple", "--no-publish")
    assert result.exit_code == 1
    assert "Put the whole checkpoint into" in result.output
    assert "hf download" not in result.output


def test_lists(eve: Eve):
    assert "llava-next-mistral-7b" in eve("models").output
    assert "context_reasoning" in eve("prompts").output
    assert "$labels" in eve("prompts", "--text").output
    assert "hardest_images" in eve("sql").output


def test_a_grown_dataset_is_prepared_anew_and_only_the_new_images_are_asked(
    eve: Eve, prepared: Settings, photographs: Path, chat_server: ChatServer
):
    cell = ("run", "--model", "served", "--dataset", "photos", "--prompt", "simple", "--no-publish")
    assert eve(*cell).exit_code == 0
    Image.new("RGB", (40, 40), "navy").save(photographs / "fear" / "new.jpg")
    assert "photos: 25 items" in eve("datasets", "prepare", "photos").output
    assert eve(*cell).exit_code == 0
    assert len(chat_server.seen) == 25


def test_a_dataset_that_was_added_is_prepared_by_the_first_run(eve: Eve, prepared: Settings, photographs: Path, chat_server: ChatServer):
    assert eve("datasets", "add", "again", "--reader", "folder", "--path", photographs).exit_code == 0
    assert eve("run", "--model", "served", "--dataset", "again", "--prompt", "simple", "--limit", "5", "--no-publish").exit_code == 0
    assert len(chat_server.seen) == 5
    with open_instance(prepared) as instance:
        assert instance.get_materialized_partitions(dg.AssetKey("images")) == {"again"}
        assert instance.get_materialized_partitions(dg.AssetKey("answers")) == {"served|again.simple"}


def test_nested_columns_and_markup_are_shown_as_they_are(eve: Eve, settings: Settings):
    with publication(Warehouse.of(settings), settings):
        pass
    assert eve("sql", "select ['a', 'b'] as labels", "--format", "csv").output == 'labels\n"[""a"", ""b""]"\n'
    assert "[joy] x [/b]" in eve("sql", "select '[joy] x [/b]' as text").output


def test_a_wrong_variable_is_named(eve: Eve, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EVE_WORKERS", "many")
    result = eve("models")
    assert result.exit_code == 1
    assert "EVE_WORKERS" in result.output
