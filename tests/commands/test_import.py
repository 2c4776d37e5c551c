"""`eve import`: existing results get every table, marked as imported, and nothing of them is lost in silence."""

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from click.testing import Result
from sklearn.metrics import f1_score
from typer.testing import CliRunner

from eve_pipeline.cli import app
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table

MIKELS = ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness")
Import = Callable[..., Result]


@pytest.fixture
def eve(prepared: Settings, monkeypatch: pytest.MonkeyPatch) -> Import:
    monkeypatch.setenv("EVE_HOME", str(prepared.home))
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *arguments: CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture
def take_in(eve: Import) -> Import:
    def run(file: Path, *options: str, model: str = "theirs", publish: bool = False) -> Result:
        where = ("--model", model, "--dataset", "photos", "--prompt", "simple")
        return eve("import", file, *where, *options, *(() if publish else ("--no-publish",)))

    return run


@pytest.fixture
def images(prepared: Settings) -> pl.DataFrame:
    return read_table("images", [Warehouse.of(prepared).file("images", "photos")]).sort("image_id")


@pytest.fixture
def predictions(images: pl.DataFrame) -> pl.DataFrame:
    guesses = np.random.default_rng(3).choice(MIKELS, images.height)
    return images.select("path", "label").with_columns(prediction=pl.Series(guesses))


def tables(settings: Settings) -> dict[str, pl.DataFrame]:
    warehouse = Warehouse.of(settings)
    return {name: read_table(name, warehouse.files(name)) for name in ("configs", "requests", "responses", "answers")}


def test_imported_labels_are_scored_like_any_others(
    take_in: Import, eve: Import, prepared: Settings, predictions: pl.DataFrame, tmp_path: Path
):
    file = tmp_path / "theirs.csv"
    predictions.rename({"path": "image", "label": "truth"}).write_csv(file)
    done = take_in(file, publish=True)
    assert done.exit_code == 0, done.output
    assert "24 rows read: 24 are about images of the subset, 0 went nowhere." in done.output
    with duckdb.connect(Warehouse.of(prepared).database.resolve(), read_only=True) as connection:
        scored = connection.sql("select weighted_f1, n, is_complete from marts.weighted_f1 where model = 'theirs' and scoring = 'strict'")
        weighted_f1, n, is_complete = scored.fetchall()[0]
        wanted = f1_score(predictions["label"], predictions["prediction"], labels=sorted(set(predictions["label"])), average="weighted")
        assert weighted_f1 == pytest.approx(wanted, abs=1e-9)
        assert (n, is_complete) == (24, True)
        for mart in ("affect_f1", "per_class_f1", "confusion", "sentiment_bias", "error_categories", "coverage", "cost_and_latency"):
            assert connection.sql(f"select count(*) from marts.{mart} where model = 'theirs'").fetchall()[0][0] > 0, mart
        cost = connection.sql("select n_responses, cost_usd, prompt_tokens, latency_p50_ms from marts.cost_and_latency")
        assert cost.fetchall() == [(24, None, None, None)]
    asked = eve("run", "--model", "theirs", "--dataset", "photos")
    assert asked.exit_code == 1
    assert "'theirs' was imported" in asked.output


def test_the_same_file_again_changes_nothing_and_another_one_makes_it_history(
    take_in: Import, prepared: Settings, predictions: pl.DataFrame, tmp_path: Path
):
    file, later = tmp_path / "theirs.csv", tmp_path / "later.csv"
    predictions.rename({"path": "image"}).write_csv(file)
    predictions.rename({"path": "image"}).head(10).write_csv(later)
    take_in(file)
    before = tables(prepared)
    assert "0 responses are new" in take_in(file).output
    after = tables(prepared)
    assert all(after[name].sort(pl.all()).equals(rows.sort(pl.all())) for name, rows in before.items() if name != "configs")
    assert after["configs"].equals(before["configs"])
    again = take_in(later)
    assert "14 of the subset's 24 images have no row" in again.output
    assert dict(tables(prepared)["answers"].group_by("is_current").len().iter_rows()) == {True: 10, False: 24}
    assert set(tables(prepared)["requests"]["origin"]) == {"imported"}
    assert [row["is_current"] for row in tables(prepared)["configs"].sort("is_current").iter_rows(named=True)] == [False, True]


def test_what_was_imported_never_satisfies_a_plan(take_in: Import, eve: Import, predictions: pl.DataFrame, tmp_path: Path):
    file = tmp_path / "theirs.csv"
    predictions.rename({"path": "image"}).write_csv(file)
    take_in(file)
    assert "24 requests to make" in eve("plan", "--model", "served", "--dataset", "photos", "--prompt", "simple").output


def test_rows_that_go_nowhere_are_listed_and_counted(take_in: Import, prepared: Settings, images: pl.DataFrame, tmp_path: Path):
    file = tmp_path / "theirs.jsonl"
    lines = [json.dumps({"image": path, "response": '{"prediction": "awe"}'}) for path in images["path"][:3]]
    strays = [json.dumps({"image": f"elsewhere/{n + 100}.png", "response": "awe"}) for n in range(30)]
    file.write_text("\n".join([*lines, "{broken", json.dumps({"image": "0.jpg", "response": "awe"}), *strays]))
    done = take_in(file)
    assert "35 rows read: 3 are about images of the subset, 32 went nowhere." in done.output
    assert "20 of 32" in done.output
    listed = pl.read_csv(next((prepared.home / "imports").rglob("*.csv")))
    assert listed.height == 32
    assert listed["number"].to_list() == list(range(4, 36))
    assert listed["problem"][0].startswith("damaged JSON")
    assert listed["problem"][1].startswith("means 8 images")
    assert listed["problem"][2] == "no image of that name"


def test_failures_of_the_other_tool_are_no_answers(take_in: Import, prepared: Settings, images: pl.DataFrame, tmp_path: Path):
    file = tmp_path / "theirs.csv"
    said = ["awe", "nan", "", "boredom", "Fearful"]
    file.write_text("\ufeffimage;label\n" + "".join(f"{path};{label}\n" for path, label in zip(images["path"], said, strict=False)))
    assert take_in(file).exit_code == 0
    answers = tables(prepared)["answers"].join(images.select("image_id", "path"), on="image_id")
    found = {path: (status, label) for path, status, label in answers.select("path", "status", "label").iter_rows()}
    assert [found[path] for path in images["path"][:5]] == [
        ("ok", "awe"), ("error", None), ("error", None), ("out_of_vocabulary", None), ("ok", "fear"),
    ]  # fmt: skip


def test_several_rows_of_an_image_are_its_repeats(take_in: Import, prepared: Settings, images: pl.DataFrame, tmp_path: Path):
    file = tmp_path / "theirs.json"
    records = [{"image_id": images["image_id"][n], "output": {"prediction": label}} for n, label in [(0, "awe"), (1, "fear"), (0, "anger")]]
    file.write_text(json.dumps(records))
    assert take_in(file).exit_code == 0
    answers = tables(prepared)["answers"].sort("image_id", "repeat").select("image_id", "repeat", "label").rows()
    assert answers == [(images["image_id"][0], 0, "awe"), (images["image_id"][0], 1, "anger"), (images["image_id"][1], 0, "fear")]


@pytest.mark.parametrize(
    ("content", "options", "told"),
    [
        (b"image,label\nx.jpg,awe\n", (), "None of the 1 rows of"),
        (b"name,said\nx.jpg,awe\n", (), "has no column image or image_id; found: 'name', 'said'"),
        (b"image,said\nx.jpg,awe\n", (), "has no column response or label; found: 'image', 'said'"),
        (b"image,label\nx.jpg,awe\n", ("--image-column", "file"), "has no column file; found: 'image', 'label'"),
        (b"image,label,Label\nx.jpg,awe,awe\n", (), "has several columns 'label'"),
        (b"image,label\nx.jpg,awe\n", ("--label-column", "label", "--response-column", "label"), "one too many"),
        (b'image,response\nx.jpg,"never closed\ny.jpg,awe\n', (), "up to line 3"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", (), "is no text in UTF-8"),
        (b"image,label\nx.jpg,\xe9motion\n", (), "is no text in UTF-8"),
        (b"PK\x03\x04 and nothing more", (), "is no readable .eval log"),
        (b"  \n", (), "is empty"),
        (b"[1, 2]", (), "no column image or image_id; found: none"),
        (b'[{"image": "x.jpg"', (), "starts as a JSON list, but is none"),
        (b'{\n "a": 1\n}', (), "is one JSON document, but no log of inspect_ai"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(
    take_in: Import, prepared: Settings, tmp_path: Path, content: bytes, options: tuple[str, ...], told: str
):
    file = tmp_path / "theirs"
    file.write_bytes(content)
    done = take_in(file, *options)
    assert done.exit_code == 1
    assert told in " ".join(done.output.split())
    assert not Warehouse.of(prepared).files("requests")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--model", "served", "--dataset", "photos", "--prompt", "simple"), "is an entry of models.yaml"),
        (("--model", "The Model", "--dataset", "photos", "--prompt", "simple"), "is no key"),
        (("--model", "m", "--dataset", "elsewhere", "--prompt", "simple"), "There is no dataset 'elsewhere'"),
        (("--model", "m", "--dataset", "photos", "--prompt", "other"), "There is no prompt 'other'"),
        (("--model", "m", "--dataset", "photos", "--prompt", "label_permutation"), "in many label orders"),
        (("--model", "m", "--dataset", "photos", "--prompt", "simple", "--subset", "sample"), "has no subset 'sample'"),
    ],
)
def test_a_cell_that_cannot_be_is_refused(eve: Import, prepared: Settings, tmp_path: Path, options: tuple[str, ...], told: str):
    file = tmp_path / "theirs.csv"
    file.write_text("image,label\n0.jpg,awe\n")
    done = eve("import", file, *options)
    assert done.exit_code == 1
    assert told in " ".join(done.output.split())
    assert not Warehouse.of(prepared).files("requests")
