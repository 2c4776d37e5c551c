"""Sheets for Label Studio: a project's labeling interface and tasks, and the JSON that it exports.

Source: https://labelstud.io/guide/task_format (tasks and annotations), https://labelstud.io/tags (the interface).
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from eve_pipeline.annotation.rows import FIELDS, Row
from eve_pipeline.errors import EveError

SERVED = "/data/local-files/?d="
"""Where Label Studio serves files below LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT."""
INTERFACE = """\
<View>
  <Image name="image" value="$image"/>
  <Header value="Which word describes better what this image evokes in you?"/>
  <View style="display: flex; gap: 2em">
    <View><Header value="First (1)" size="5"/><Text name="first" value="$first"/></View>
    <View><Header value="Second (2)" size="5"/><Text name="second" value="$second"/></View>
  </View>
  <Choices name="choice" toName="image" choice="single" showInline="true" required="true">
    <Choice value="first" hotkey="1"/>
    <Choice value="second" hotkey="2"/>
    <Choice value="both" hotkey="b"/>
    <Choice value="neither" hotkey="n"/>
    <Choice value="unsure" hotkey="u"/>
  </Choices>
  <Header value="How sure are you? (optional)" size="5"/>
  <Rating name="confidence" toName="image" maxRating="5"/>
  <TextArea name="comment" toName="image" placeholder="Comment (optional)" maxSubmissions="1" rows="2"/>
</View>
"""
HINT = "In Label Studio, choose Export, format JSON (not JSON-MIN or CSV)."
Json = Mapping[str, Any]


def write(rows: pl.DataFrame, folder: Path) -> Path:
    """Write `interface.xml` and `tasks.json`; answers so far go in as annotations."""
    (folder / "interface.xml").write_text(INTERFACE, encoding="utf-8")
    file = folder / "tasks.json"
    file.write_text(json.dumps([_task(row, folder) for row in rows.iter_rows(named=True)], indent=1), encoding="utf-8")
    return file


def _task(row: Json, folder: Path) -> Json:
    data = {"task": row["task"], "image": f"{SERVED}{folder.name}/{row['image']}", "first": row["first"], "second": row["second"]}
    given = {
        "choice": ("choices", row["choice"] and [row["choice"]]),
        "confidence": ("rating", row["confidence"]),
        "comment": ("text", row["comment"] and [row["comment"]]),
    }
    kinds = {"text": "textarea"}
    result = [
        {"from_name": name, "to_name": "image", "type": kinds.get(field, field), "value": {field: value}}
        for name, (field, value) in given.items()
        if value
    ]
    return {"data": data} | ({"annotations": [{"result": result}]} if result else {})


def read(file: Path) -> Iterator[Row]:
    """Yield the rows of an export; `line` is the number of the task in it, from 1. Skipped tasks are without an answer.

    Raises:
        EveError: the file cannot be read, or is no such export.
    """
    try:
        exported = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise EveError(f"{file} cannot be read: {error}", HINT) from error
    if not isinstance(exported, list) or not all(isinstance(task, dict) and isinstance(task.get("data"), dict) for task in exported):
        raise EveError(f"{file} is no list of tasks with their data", HINT)
    for number, task in enumerate(exported, 1):
        try:
            yield _row(number, task)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            yield Row(number, dict.fromkeys(FIELDS, "") | {"task": str(task["data"].get("task", ""))}, f"it is not as exported: {error!r}")


def _row(number: int, task: Json) -> Row:
    labels = {name: str(task["data"].get(name, "")) for name in ("task", "first", "second")}
    done = [annotation for annotation in task.get("annotations") or () if not annotation.get("was_cancelled")]
    if len(done) > 1:
        return Row(number, dict.fromkeys(FIELDS, "") | labels, f"it has {len(done)} annotations; export those of one annotator")
    values = {part["from_name"]: part["value"] for part in done[0]["result"]} if done else {}
    text = values["comment"]["text"] if "comment" in values else ""
    fields = {
        "choice": str(values["choice"]["choices"][0]) if "choice" in values else "",
        "confidence": str(values["confidence"]["rating"]) if "confidence" in values else "",
        "comment": text if isinstance(text, str) else "\n".join(text),
    }
    return Row(number, labels | fields, "", *_times(done[0] if done else {}))


def _times(annotation: Json) -> tuple[float | None, datetime | None]:
    taken, at = annotation.get("lead_time"), annotation.get("created_at")
    return taken, datetime.fromisoformat(at) if at else None
