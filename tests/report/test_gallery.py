"""Contact sheets as files."""

import io
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

from eve_pipeline.cli import app
from eve_pipeline.datasets.contact_sheet import PAPER, WIDE, Tile, captioned_sheet
from eve_pipeline.report.gallery import Side, confusion, flips, hardest, write_sheets
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.query import run_query


@pytest.fixture
def eve(demo_home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EVE_HOME", str(demo_home))
    monkeypatch.setenv("COLUMNS", "300")
    return lambda *arguments: CliRunner().invoke(app, ["gallery", *map(str, arguments)])


@pytest.fixture
def ids(demo_home: Path) -> Callable[[str], set[str]]:
    """A function that returns the images of the prompt simple that fit a condition on right, of each model, and said."""

    def fitting(condition: str) -> set[str]:
        found = run_query(
            demo_home / "eve.duckdb",
            "select image_id from staging.stg_answers a join raw.images i using (dataset, image_id) "
            "where subset = 'sample' and prompt = 'simple' and i.label is not null "
            f"group by image_id having {condition}",
        )
        return set(found["image_id"])

    return fitting


def right(model: str) -> str:
    return f"bool_or(model = '{model}' and a.label is not distinct from i.label)"


def test_the_hardest_images_are_those_that_all_models_got_wrong(eve, demo_home: Path, ids: Callable[[str], set[str]], tmp_path: Path):
    done = eve("hardest", "--subset", "sample", "--n", 500, "--output", tmp_path)
    assert done.exit_code == 0, done.output
    assert done.output.split() == [str(tmp_path / "hardest-sample-simple.jpg")]
    [sheet] = hardest("sample", "simple", 500, Settings(home=demo_home))
    assert set(sheet.images["image_id"]) == ids("not bool_or(a.label is not distinct from i.label)")


def test_each_confusion_is_a_sheet_and_the_diagonal_only_where_it_is_asked_for(eve, demo_home: Path, tmp_path: Path):
    cells = run_query(
        demo_home / "eve.duckdb", "select truth, predicted from marts.confusion where subset = 'sample' and prompt = 'simple' "
        "and model = 'demo-llava-base'",
    )  # fmt: skip
    wrong = cells.filter(pl.col("truth") != pl.col("predicted"))
    assert eve("confusion", "--subset", "sample", "--model", "demo-llava-base", "--n", 6, "--output", tmp_path / "wrong").exit_code == 0
    names = {file.stem.split("-", 1)[1] for file in (tmp_path / "wrong").rglob("*.jpg")}
    assert names == {f"{truth}--{predicted}".replace("__none__", "no_answer") for truth, predicted in wrong.iter_rows()}
    done = eve("confusion", "--subset", "sample", "--model", "demo-llava-base", "--with-right", "--n", 1, "--output", tmp_path / "all")
    assert len(done.output.split()) == cells.height


def test_flips_are_drawn_for_prompts_and_models_as_png(eve, demo_home: Path, ids: Callable[[str], set[str]], tmp_path: Path):
    sides = ("--subset", "sample", "--model", "demo-llava-base", "--output", tmp_path)
    assert eve("flips", *sides, "--other-prompt", "no_labels", "--format", "PNG").exit_code == 0
    assert eve("flips", *sides, "--other-model", "demo-llava-small").exit_code == 0
    kinds = sorted(file.name for file in tmp_path.rglob("*.*"))
    assert kinds.count("only_first.png") == kinds.count("only_first.jpg") == 1
    models = (Side("demo-llava-base", "simple"), Side("demo-llava-small", "simple"))
    first, second, neither = flips(*models, "sample", 500, Settings(home=demo_home))
    base, small = right("demo-llava-base"), right("demo-llava-small")
    assert set(first.images["image_id"]) == ids(f"{base} and not {small}")
    assert set(second.images["image_id"]) == ids(f"{small} and not {base}")
    wrong = f"not {small} and not {base} and count(distinct coalesce(a.label, status)) = 2"
    assert set(neither.images["image_id"]) == ids(wrong)


def test_names_of_sheets_are_short_and_each_cell_has_its_own(tmp_path: Path):
    """Two labels may come to one name, and keys of 64 characters to one that no file system takes."""
    settings, long = Settings(home=tmp_path), "k" * 64
    folder = tmp_path / "published" / "01KAXS7X0000000000000000AA"
    folder.mkdir(parents=True)
    with duckdb.connect(folder / "eve.duckdb") as connection:
        for schema in ("raw", "staging", "marts"):
            connection.execute(f"create schema {schema}")
        image = "'d' as dataset, i as image_id, 'a.jpg' as path, 'x' as sha256, 'joy' as label"
        connection.execute(f"create table raw.images as select {image} from unnest(['1', '2']) as images(i)")
        said = "select unnest(['1', '2']) as image_id, unnest(['sad/blue', 'sad blue']) as label"
        cell = f"'{long}' as model, '{long}' as prompt, '{long}' as subset"
        connection.execute(
            f"create table staging.stg_answers as select *, 'd' as dataset, {cell}, 0 as repeat, 'ok' as status from ({said})"
        )
        connection.execute(f"create table marts.confusion as select 'joy' as truth, label as predicted, 1 as n, {cell} from ({said})")
    Warehouse.of(settings).database.symlink_to(folder / "eve.duckdb")
    side = Side(long, long)
    files = write_sheets(confusion(side, long, 10, settings), tmp_path / "out", settings)
    assert [file.name for file in files] == ["01-joy--sad_blue.jpg", "02-joy--sad_blue.jpg"]
    names = [sheet.name for sheet in flips(side, Side(long, long[:-1]), long, 10, settings)]
    assert len(set(names)) == 3
    assert all(len(part) < 255 for name in names for part in name.split("/"))


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
