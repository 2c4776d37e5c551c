"""Contact sheets as files."""

import io
from pathlib import Path

import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

from eve_pipeline.cli import app
from eve_pipeline.datasets.contact_sheet import PAPER, WIDE, Tile, captioned_sheet
from eve_pipeline.warehouse.query import run_query


@pytest.fixture
def eve(demo_home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EVE_HOME", str(demo_home))
    monkeypatch.setenv("COLUMNS", "300")
    return lambda *arguments: CliRunner().invoke(app, ["gallery", *map(str, arguments)])


def test_the_hardest_images_are_those_that_all_models_got_wrong(eve, demo_home: Path, tmp_path: Path):
    done = eve("hardest", "--subset", "sample", "--n", 500, "--output", tmp_path)
    assert done.exit_code == 0, done.output
    assert done.output.split() == [str(tmp_path / "hardest-sample-simple.jpg")]
    n = run_query(
        demo_home / "eve.duckdb",
        "select count(*)::int as n from (select image_id from staging.stg_answers a join raw.images i using (dataset, image_id) "
        "where subset = 'sample' and prompt = 'simple' and i.label is not null "
        "group by image_id having max((a.label is not distinct from i.label)::int) = 0)",
    )["n"].item()
    with Image.open(tmp_path / "hardest-sample-simple.jpg") as sheet:
        height_of_a_row = 168 + 3 * 17 + 18
        assert sheet.height == 40 + 34 + -(-n // 6) * height_of_a_row


def test_each_confusion_is_a_sheet_and_the_diagonal_only_where_it_is_asked_for(eve, demo_home: Path, tmp_path: Path):
    cells = run_query(
        demo_home / "eve.duckdb", "select truth, predicted from marts.confusion where subset = 'sample' and prompt = 'simple' "
        "and model = 'demo-llava-base'",
    )  # fmt: skip
    wrong = cells.filter(pl.col("truth") != pl.col("predicted"))
    assert eve("confusion", "--subset", "sample", "--model", "demo-llava-base", "--n", 6, "--output", tmp_path / "wrong").exit_code == 0
    names = {file.stem for file in (tmp_path / "wrong").rglob("*.jpg")}
    assert names == {f"{truth}--{predicted}".replace("__none__", "no_answer") for truth, predicted in wrong.iter_rows()}
    done = eve("confusion", "--subset", "sample", "--model", "demo-llava-base", "--with-right", "--n", 1, "--output", tmp_path / "all")
    assert len(done.output.split()) == cells.height


def test_flips_are_drawn_for_prompts_and_models_as_png(eve, tmp_path: Path):
    sides = ("--subset", "sample", "--model", "demo-llava-base", "--output", tmp_path)
    assert eve("flips", *sides, "--other-prompt", "no_labels", "--format", "PNG").exit_code == 0
    assert eve("flips", *sides, "--other-model", "demo-llava-small").exit_code == 0
    kinds = sorted(file.name for file in tmp_path.rglob("*.*"))
    assert kinds.count("only_first.png") == kinds.count("only_first.jpg") == 1


def test_no_images_and_equal_sides_are_told(eve, tmp_path: Path):
    assert "There is no such image" in eve("hardest", "--subset", "nothing", "--output", tmp_path).output
    assert "Both sides are the same" in eve("flips", "--subset", "sample", "--model", "demo-llava-base").output
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_survives_missing_files_damage_and_hostile_captions(tmp_path: Path):
    (tmp_path / "damaged.jpg").write_bytes(b"no picture")
    Image.new("RGB", (300, 200), "red").save(tmp_path / "red.png")
    caption = ("\x00\x1b[31m\u202e<script>" * 100_000, "")
    tiles = [
        Tile(None, caption),
        Tile(tmp_path / "gone.jpg", caption),
        Tile(tmp_path / "damaged.jpg", ()),
        Tile(tmp_path / "red.png", caption),
    ]
    with Image.open(io.BytesIO(captioned_sheet(tiles, "\n" * 1000 + "title", form="PNG"))) as sheet:
        middle = 20 + 34 + WIDE // 2
        assert sheet.getpixel((20 + 3 * (WIDE + 12) + WIDE // 2, middle)) == (255, 0, 0)
        assert "#{:02x}{:02x}{:02x}".format(*sheet.getpixel((25, middle))) == PAPER
