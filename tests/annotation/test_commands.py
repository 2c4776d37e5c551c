"""`eve annotate ...` on a published home, from the draw to the import."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from click.testing import Result
from typer.testing import CliRunner

from eve_pipeline.annotation.invitations import whose
from eve_pipeline.annotation.studies import read_annotations, read_tasks, sheet
from eve_pipeline.cli import app
from eve_pipeline.warehouse.paths import Warehouse
from tests.annotation.test_sheets import filled, write_csv

Eve = Callable[..., Result]


@pytest.fixture
def eve(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Eve:
    monkeypatch.setenv("EVE_HOME", str(warehouse.home))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, ["annotate", *map(str, arguments)])


def test_a_draw_tells_its_strata_and_what_was_short(eve: Eve, warehouse: Warehouse) -> None:
    drawn = eve("sample", "--n", "5", "--study", "new", "--model", "two", "--controls", "0.4", "--seed", "3")
    assert drawn.exit_code == 0, drawn.output
    assert "5 of 10 distinct errors, and 2 control items of 20 images" in drawn.output
    assert "Fewer" not in drawn.output
    assert read_tasks("new", warehouse)["seed"].to_list() == [3] * 7
    short = eve("sample", "--n", "1000", "--study", "short", "--controls", "1")
    assert "Fewer errors are there than the 1000" in short.output
    assert "Fewer control items are there than the 1000" in short.output


def test_a_label_of_several_words_is_told_whole(eve: Eve, warehouse: Warehouse) -> None:
    with duckdb.connect(warehouse.database.resolve()) as connection:
        for table in ("raw.images", "staging.stg_answers"):
            connection.execute(f"update {table} set label = 'quiet joy' where label = 'contentment'")
    assert "quiet joy" in eve("sample", "--n", "5", "--study", "new", "--controls", "1").output


def test_an_invitation_shows_its_token_once(eve: Eve, warehouse: Warehouse, study: str) -> None:
    invited = eve("invite", study, "ada")
    assert whose(invited.stdout.strip(), warehouse) == (study, "ada")
    assert "/?token=" in invited.stderr
    assert eve("invite", study, "ada").exit_code == 1
    assert whose(eve("invite", study, "ada", "--renew").stdout.strip(), warehouse) == (study, "ada")


def test_a_bad_sheet_ends_with_1_and_a_good_one_is_counted(eve: Eve, warehouse: Warehouse, study: str, tmp_path: Path) -> None:
    rows = filled(sheet(study, "ada", warehouse), [("both", None, None)] * 3)
    rows[1]["choice"] = "third"
    refused = eve("import", study, write_csv(tmp_path / "sheet.csv", rows), "--annotator", "ada")
    assert refused.exit_code == 1
    assert "choice: should be 'first'" in refused.output
    assert "1 rows of" in refused.output
    assert read_annotations(study, warehouse, "ada").is_empty()
    rows[1]["choice"] = "Second "
    taken = eve("import", study, write_csv(tmp_path / "sheet.csv", rows), "--annotator", "ada")
    assert "3 answers are new, 0 were stored before, 12 questions are open." in taken.output
    assert "ada" in eve("status").output


def test_without_a_study_status_says_how_to_draw_one(eve: Eve, warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.file("annotation_tasks", "hand").unlink()
    assert "eve annotate sample" in eve("status").output
    sheet_of_ada = tmp_path / "sheet.csv"
    sheet_of_ada.write_text("task,first,second,choice,confidence,comment\n")
    for command in (
        ("invite", "hand", "ada"),
        ("export", "hand", "--annotator", "ada", "--output", tmp_path / "x"),
        ("import", "hand", sheet_of_ada, "--annotator", "ada"),
    ):
        result = eve(*command)
        assert result.exit_code == 1
        assert "There is no study 'hand'" in result.output
