"""Sheets for those who annotate elsewhere: written with the pictures beside them, and taken in again after every row was checked.

A sheet is taken in whole or not at all: each bad row is reported, and once it is mended the same file can be imported again, for rows that
are stored already do no harm.
"""

import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import polars as pl
from pydantic import ValidationError

from eve_pipeline.annotation import csv_sheets, label_studio
from eve_pipeline.annotation.answers import Answer, record
from eve_pipeline.annotation.pictures import picture_files, write_plain
from eve_pipeline.annotation.rows import Row
from eve_pipeline.annotation.studies import sheet
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse

Format = Literal["csv", "label-studio"]
SHOWN = 60


class Imported(NamedTuple):
    """What came of a sheet: answers stored, rows stored before, rows without an answer, and the bad rows (line, task, reason)."""

    n_new: int
    n_known: int
    n_blank: int
    problems: pl.DataFrame


def export_sheet(study: str, annotator: str, kind: Format, folder: Path, settings: Settings) -> Path:
    """Write an annotator's sheet and the pictures, named after the questions, into an empty folder; return the sheet.

    Raises:
        EveError: there is no such study, the folder holds something, or a picture is absent or damaged.
    """
    seen = sheet(study, annotator, Warehouse.of(settings))
    if folder.exists() and any(folder.iterdir()):
        raise EveError(f"{folder} is not empty", "Name a new folder.")
    files = picture_files(seen, settings)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for task, file in files.items():
        try:
            write_plain(file, folder / "images" / f"{task}.jpg")
        except EveError:
            shutil.rmtree(folder / "images")  # the same folder may be named again
            raise
    rows = seen.drop("dataset", "image_id").with_columns(image=pl.format("images/{}.jpg", "task"))
    return csv_sheets.write(rows, folder) if kind == "csv" else label_studio.write(rows, folder)


def import_sheet(study: str, annotator: str, file: Path, warehouse: Warehouse) -> Imported:
    """Store the answers of a sheet in CSV or of Label Studio's JSON export; nothing is stored where a row is bad.

    Raises:
        EveError: the file cannot be read, is no such sheet, or the study is not there.
    """
    kind: Format = "label-studio" if file.suffix.lower() == ".json" else "csv"
    rows = list(csv_sheets.read(file) if kind == "csv" else label_studio.read(file))
    seen = {row["task"]: row for row in sheet(study, annotator, warehouse).iter_rows(named=True)}
    checked = list(_checked(rows, seen))
    problems = [
        (row.line, row.fields["task"][:SHOWN].encode(errors="replace").decode(), found) for row, found in checked if isinstance(found, str)
    ]
    answers = [found for _, found in checked if isinstance(found, Answer)]
    new = [answer for answer in answers if seen[answer.task]["choice"] is None]
    if new and not problems:
        record(study, annotator, new, kind, warehouse)
    return Imported(
        0 if problems else len(new),
        len(answers) - len(new),
        len(rows) - len(checked),
        pl.DataFrame(problems, schema={"line": pl.Int64, "task": pl.String, "reason": pl.String}, orient="row"),
    )


def _checked(rows: Iterable[Row], seen: dict[str, dict[str, object]]) -> Iterator[tuple[Row, Answer | str]]:
    """Yield each row that holds something with its answer or the reason why it has none."""
    taken: dict[str, int] = {}
    for row in rows:
        task, is_blank = row.fields["task"], not any(row.fields[name] for name in ("choice", "confidence", "comment"))
        reason = row.problem or _mismatch(row, seen.get(task)) or (f"the same question as line {taken[task]}" if task in taken else "")
        taken.setdefault(task, row.line)
        if reason or not is_blank:
            yield row, reason or _answer(row, seen[task])


def _mismatch(row: Row, asked: dict[str, object] | None) -> str:
    if asked is None:
        return "the study has no such question"
    if (row.fields["first"], row.fields["second"]) != (asked["first"], asked["second"]):
        return "its labels are not those of the annotator's sheet, in that order"
    return ""


def _answer(row: Row, asked: dict[str, object]) -> Answer | str:
    given: dict[str, object] = {name: row.fields[name] for name in ("confidence", "comment") if row.fields[name]}
    given["choice"] = row.fields["choice"].strip().lower()
    given |= {"task": asked["task"], "shown_order": (asked["first"], asked["second"])}
    try:
        answer = Answer.model_validate({**given, "duration_s": row.duration_s, "created_at": row.created_at})
    except ValidationError as error:
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {_in_words(e['msg'])}" for e in error.errors())
    before = asked["choice"], asked["confidence"], asked["comment"]
    if before[0] is not None and before != (answer.choice, answer.confidence, answer.comment):
        return f"it was answered otherwise before ({before[0]}); take that answer back in the app first"
    return answer


def _in_words(message: str) -> str:
    return re.sub(r"^Input ", "", message)
