"""Sheets: what was written can be taken in, every bad row is told, and nothing is stored while one is bad."""

import csv
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from eve_pipeline.annotation.answers import LONGEST_COMMENT, record
from eve_pipeline.annotation.csv_sheets import marked, unmarked
from eve_pipeline.annotation.sheets import Imported, export_sheet, import_sheet
from eve_pipeline.annotation.studies import read_annotations, read_tasks, sheet
from eve_pipeline.datasets.registry import DatasetEntry
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import write_table
from tests.annotation.conftest import answer

TELLING = "the label is in here"
CHOICES = ["first", "second", "both", "neither", "unsure"]
given_answers = st.tuples(
    st.sampled_from(CHOICES),
    st.none() | st.integers(1, 5),
    st.none()
    | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
    | st.sampled_from(["=1+1", "'=x", "''@", "-2", "\r\n"]),
)
many = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def with_pictures(warehouse: Warehouse, study: str, tmp_path: Path) -> Settings:
    """Settings under which the dataset `hand` has pictures, in folders that tell the label."""
    home = Settings(home=warehouse.home)
    tasks = read_tasks(study, warehouse).unique("image_id")
    rows = []
    for image_id, label in tasks.select("image_id", "truth").iter_rows():
        path, form = (f"{label}/{image_id}.TIF", "TIFF") if int(image_id) % 2 else (f"{label}/{image_id}.jpg", "JPEG")
        (tmp_path / "hand" / label).mkdir(parents=True, exist_ok=True)
        picture = Image.new("RGB", (8, 8), (int(image_id), 0, 0))
        exif = picture.getexif()
        exif[ExifTags.Base.ImageDescription] = f"{label} {TELLING}"
        picture.save(tmp_path / "hand" / path, form, exif=exif, **({"comment": TELLING} if form == "JPEG" else {}))
        measured = {"width": 8, "height": 8, "bytes": 100, "label": label, "label_status": "single"}
        rows.append({"dataset": "hand", "image_id": image_id, "path": path, "sha256": image_id, **measured})
    write_table(pl.DataFrame(rows), "images", warehouse.file("images", "hand"))
    entry = DatasetEntry(key="hand", reader="folder", labels="mikels", path=tmp_path / "hand")
    (warehouse.home / "datasets").mkdir()
    (warehouse.home / "datasets" / "hand.yaml").write_text(f"reader: folder\nlabels: mikels\npath: {entry.path}\n")
    return home


def filled(rows: pl.DataFrame, answers: list[tuple[str, int | None, str | None]]) -> list[dict[str, Any]]:
    given = {"choice": "", "confidence": None, "comment": None}
    filled_in = [dict(zip(given, answer, strict=True)) for answer in answers]
    return [row | (filled_in[n] if n < len(filled_in) else given) for n, row in enumerate(rows.to_dicts())]


def write_csv(file: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> Path:
    columns = ["task", "first", "second", "choice", "confidence", "comment"]
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows([marked(row[name]) for name in columns] for row in rows)
    return file


def labelled(row: dict[str, Any]) -> dict[str, Any]:
    """A task as Label Studio exports it."""
    result = [
        {"id": "a", "type": "choices", "value": {"choices": [row["choice"]]}, "origin": "manual", "to_name": "image", "from_name": "choice"}
    ]
    if row["confidence"]:
        result.append({"type": "rating", "value": {"rating": row["confidence"]}, "to_name": "image", "from_name": "confidence"})
    if row["comment"]:
        result.append({"type": "textarea", "value": {"text": [row["comment"]]}, "to_name": "image", "from_name": "comment"})
    done = {
        "id": 7, "completed_by": 10, "result": result, "was_cancelled": False, "ground_truth": False, "lead_time": 4.288,
        "created_at": "2026-03-09T22:16:08.728353Z", "updated_at": "2026-03-09T22:16:08.728378Z", "result_count": len(result),
    }  # fmt: skip
    data = {name: row[name] for name in ("task", "first", "second")} | {"image": "/data/local-files/?d=x.png"}
    return {"id": 1, "data": data, "annotations": [done] if row["choice"] else [], "predictions": [], "project": 83}


def stored(warehouse: Warehouse, study: str, name: str) -> dict[str, tuple[str, int | None, str | None]]:
    rows = read_annotations(study, warehouse, name).select("task", "choice", "confidence", "comment").iter_rows()
    return {task: tuple(rest) for task, *rest in rows}


@many
@given(st.lists(given_answers, max_size=15), st.sampled_from([",", ";", "\t"]))
def test_what_is_filled_in_is_what_is_stored(warehouse: Warehouse, study: str, tmp_path: Path, answers: list[Any], delimiter: str) -> None:
    warehouse.file("annotations", study, "ada").unlink(missing_ok=True)
    rows = filled(sheet(study, "ada", warehouse), answers)
    for file in (write_csv(tmp_path / "sheet.csv", rows, delimiter), tmp_path / "export.json"):
        if file.suffix == ".json":
            file.write_text(json.dumps([labelled(row) for row in rows]))
        imported = import_sheet(study, "ada", file, warehouse)
        assert imported.problems.is_empty(), imported.problems
        assert (imported.n_new + imported.n_known, imported.n_blank) == (len(answers), 15 - len(answers))
        assert stored(warehouse, study, "ada") == {row["task"]: answer for row, answer in zip(rows, answers, strict=False)}


@given(st.text())
def test_marked_text_comes_back_and_is_no_formula(text: str) -> None:
    assert unmarked(marked(text)) == text
    assert marked(text)[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n"}


def bad(imported: Imported) -> list[tuple[int, str]]:
    return imported.problems.select("line", "reason").rows()


def test_every_bad_row_is_told_and_nothing_is_stored(warehouse: Warehouse, study: str, tmp_path: Path) -> None:
    good, twice, turned, unknown, third, sure, long, half = filled(sheet(study, "ada", warehouse), [("both", None, None)] * 8)[:8]
    turned = turned | {"first": turned["second"], "second": turned["first"]}
    rows = [good, twice, twice, turned, unknown | {"task": "=cmd"}, third | {"choice": "third"}, sure | {"confidence": "9"}]
    rows += [long | {"comment": "x" * (LONGEST_COMMENT + 1)}, half | {"choice": "", "comment": "forgot"}]
    imported = import_sheet(study, "ada", write_csv(tmp_path / "sheet.csv", rows), warehouse)
    told = dict(bad(imported))
    assert list(told) == [4, 5, 6, 7, 8, 9, 10]
    assert told[4] == "the same question as line 3"
    assert told[5] == "its labels are not those of the annotator's sheet, in that order"
    assert told[6] == "the study has no such question"
    assert told[7].startswith("choice: should be 'first', 'second'")
    assert told[8].startswith("confidence: should be less than or equal to 5")
    assert told[9].startswith("comment: String should have at most 2000")
    assert told[10].startswith("choice: should be")
    assert (imported.n_new, stored(warehouse, study, "ada")) == (0, {})


def test_a_sheet_of_another_annotator_is_refused(warehouse: Warehouse, study: str, tmp_path: Path) -> None:
    """Its labels stand in another order: taken as they are, half of the choices would be turned."""
    file = write_csv(tmp_path / "sheet.csv", filled(sheet(study, "ada", warehouse), [("first", None, None)] * 15))
    assert 0 < import_sheet(study, "bo", file, warehouse).problems.height < 16
    assert stored(warehouse, study, "bo") == {}


def test_a_sheet_may_come_again_but_not_change_what_was_said(warehouse: Warehouse, study: str, tmp_path: Path) -> None:
    rows = filled(sheet(study, "ada", warehouse), [("both", 3, "hm")] * 4)
    assert import_sheet(study, "ada", write_csv(tmp_path / "sheet.csv", rows), warehouse)[:3] == (4, 0, 11)
    assert import_sheet(study, "ada", tmp_path / "sheet.csv", warehouse)[:3] == (0, 4, 11)
    rows[1] |= {"choice": "neither"}
    assert bad(import_sheet(study, "ada", write_csv(tmp_path / "sheet.csv", rows), warehouse)) == [
        (3, "it was answered otherwise before (both); take that answer back in the app first")
    ]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("none.csv", b"", "no column task"),
        ("short.csv", b"task,choice\n", "no column first, second, confidence, comment"),
        ("latin.csv", "task,first,second,choice,confidence,comment\n1,é,b,both,,\n".encode("latin-1"), "cannot be read"),
        ("broken.json", b"{", "cannot be read"),
        ("min.json", b'[{"choice": "first", "task": "x"}]', "JSON-MIN"),
        ("deep.json", b"[" * 200_000, "cannot be read"),
        ("absent.csv", None, "cannot be read"),
    ],
)
def test_files_that_are_no_sheets_are_told(
    warehouse: Warehouse, study: str, tmp_path: Path, name: str, content: bytes | None, told: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(EveError, match=told):
        import_sheet(study, "ada", tmp_path / name, warehouse)


def test_exports_of_label_studio_that_say_more_or_less_are_told(warehouse: Warehouse, study: str, tmp_path: Path) -> None:
    rows = [labelled(row) for row in filled(sheet(study, "ada", warehouse), [("both", None, None)] * 4)]
    rows[0]["annotations"][0]["was_cancelled"] = True  # skipped
    rows[1]["annotations"] *= 2
    rows[2]["annotations"][0]["result"][0]["value"] = {"labels": ["x"]}
    rows[3]["annotations"][0]["result"] = "no list"
    (tmp_path / "export.json").write_text(json.dumps(rows))
    imported = import_sheet(study, "ada", tmp_path / "export.json", warehouse)
    assert [line for line, _ in bad(imported)] == [2, 3, 4]
    assert bad(imported)[0][1] == "it has 2 annotations; export those of one annotator"
    assert imported.n_blank == 12


def test_hostile_exports_of_label_studio_are_told_or_read(warehouse: Warehouse, study: str, tmp_path: Path) -> None:
    rows = [labelled(row) for row in filled(sheet(study, "ada", warehouse), [("both", None, "hello")] * 4)]
    rows[0]["annotations"][0]["result"][0]["value"] = {"choices": [1]}
    rows[1]["data"]["task"] = "\ud800"
    rows[2]["annotations"][0]["result"][1]["value"] = {"text": ["\ud800"]}
    rows[3]["annotations"][0]["result"][1]["value"] = {"text": "hello"}
    (tmp_path / "export.json").write_text(json.dumps(rows))
    told = bad(import_sheet(study, "ada", tmp_path / "export.json", warehouse))
    assert [(line, reason[:9]) for line, reason in told] == [(1, "choice: s"), (2, "the study"), (3, "comment: ")]
    (tmp_path / "export.json").write_text(json.dumps(rows[3:]))
    assert import_sheet(study, "ada", tmp_path / "export.json", warehouse).n_new == 1
    assert list(stored(warehouse, study, "ada").values()) == [("both", None, "hello")]


def test_times_of_label_studio_are_kept(warehouse: Warehouse, study: str, tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text(json.dumps([labelled(filled(sheet(study, "ada", warehouse), [("both", None, None)])[0])]))
    import_sheet(study, "ada", tmp_path / "export.json", warehouse)
    row = read_annotations(study, warehouse, "ada").row(0, named=True)
    assert (row["duration_s"], row["source"], row["created_at"].isoformat()) == (4.288, "label-studio", "2026-03-09T22:16:08.728353+00:00")


def test_an_exported_sheet_tells_no_side_and_comes_back(with_pictures: Settings, warehouse: Warehouse, study: str, tmp_path: Path) -> None:
    task = sheet(study, "ada", warehouse)["task"][0]
    record(study, "ada", [answer(warehouse, study, task, comment="=HYPERLINK(1)")], "app", warehouse)
    file = export_sheet(study, "ada", "csv", tmp_path / "out", with_pictures)
    with file.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0]["comment"] == "'=HYPERLINK(1)"
    assert list(rows[0]) == ["task", "image", "first", "second", "choice", "confidence", "comment"]
    for row in rows:
        assert row["image"] == f"images/{row['task']}.jpg"
        assert TELLING.encode() not in (tmp_path / "out" / row["image"]).read_bytes()
        with Image.open(tmp_path / "out" / row["image"]) as picture:
            assert (picture.size, picture.format) == ((8, 8), "JPEG")
    assert import_sheet(study, "ada", file, warehouse)[:3] == (0, 1, 14)
    with pytest.raises(EveError, match="is not empty"):
        export_sheet(study, "ada", "csv", tmp_path / "out", with_pictures)


def test_an_exported_project_fits_its_interface_and_comes_back(
    with_pictures: Settings, warehouse: Warehouse, study: str, tmp_path: Path
) -> None:
    task = sheet(study, "ada", warehouse)["task"][0]
    record(study, "ada", [answer(warehouse, study, task, choice="unsure", confidence=2, comment="x")], "app", warehouse)
    file = export_sheet(study, "ada", "label-studio", tmp_path / "out", with_pictures)
    tasks = json.loads(file.read_text())
    interface = ET.fromstring((tmp_path / "out" / "interface.xml").read_text())  # noqa: S314 - our own file
    assert {tag.attrib["value"] for tag in interface.iter("Choice")} == set(CHOICES)
    shown = {tag.attrib["value"] for kind in ("Image", "Text") for tag in interface.iter(kind)}
    assert shown == {"$image", "$first", "$second"}
    controls = {tag.attrib["name"] for kind in ("Choices", "Rating", "TextArea") for tag in interface.iter(kind)}
    assert {part["from_name"] for part in tasks[0]["annotations"][0]["result"]} == controls
    assert set(tasks[1]["data"]) == {"task", "image", "first", "second"}
    assert (tmp_path / tasks[1]["data"]["image"].partition("?d=")[2]).is_file()
    assert import_sheet(study, "ada", file, warehouse)[:3] == (0, 1, 14)


def test_a_picture_that_is_gone_damaged_or_elsewhere_is_told_and_the_folder_stays_empty(
    with_pictures: Settings, warehouse: Warehouse, study: str, tmp_path: Path
) -> None:
    pictures = sorted(file for file in (tmp_path / "hand").rglob("*.*") if file.is_file())
    contents = {file: file.read_bytes() for file in pictures}
    pictures[0].write_bytes(b"no picture")
    with pytest.raises(EveError, match="cannot be read"):
        export_sheet(study, "ada", "csv", tmp_path / "out", with_pictures)
    for file in pictures:
        file.unlink()
    with pytest.raises(EveError, match="15 pictures"):
        export_sheet(study, "ada", "csv", tmp_path / "out", with_pictures)
    for file, content in contents.items():
        file.write_bytes(content)
    export_sheet(study, "ada", "csv", tmp_path / "out", with_pictures)
    images = pl.read_parquet(warehouse.file("images", "hand"))
    images = images.with_columns(path=pl.concat_str(pl.lit("../hand/"), "path"))
    write_table(images, "images", warehouse.file("images", "hand"))
    with pytest.raises(EveError, match="15 pictures"):
        export_sheet(study, "ada", "csv", tmp_path / "other", with_pictures)
    assert not (tmp_path / "other").exists()
