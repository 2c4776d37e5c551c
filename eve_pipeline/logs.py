"""What commands and Dagster's runs log, as JSON lines in EVE_HOME/logs: one file a day, so that many processes write and none renames."""

import json
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import structlog

from eve_pipeline.files import is_out_of_room
from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import LOGS_KEPT, Settings
from eve_pipeline.vlms.secrets import secret_values

DAGSTERS = "dagster_meta"  # attribute of records that Dagster makes; it is not imported here, for eve run does without it
Fields = MutableMapping[str, Any]


class DailyFile(logging.Handler):
    """Appends each record as one line to `logs/<day>.jsonl` of an EVE_HOME, and removes the files of a month ago."""

    def __init__(self, home: str, **fields: str) -> None:
        super().__init__()
        settings = Settings(home=Path(home))
        self.folder = settings.logs
        self.day: date | None = None
        self.setFormatter(_formatter(known_secrets(settings), fields))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a line goes to the operating system as a whole."""
        try:
            file = self._file(datetime.fromtimestamp(record.created, UTC).date())
            descriptor = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, self.format(record).encode() + b"\n")
            finally:
                os.close(descriptor)
        except Exception as error:  # noqa: BLE001 - as every handler of logging: a log that cannot be written stops no run
            if not is_out_of_room(error):  # whoever runs out of room with more than a log says so
                self.handleError(record)

    def _file(self, day: date) -> Path:
        if day != self.day:
            self.folder.mkdir(parents=True, exist_ok=True)
            oldest = day - LOGS_KEPT
            for file in self.folder.glob("????-??-??.jsonl"):
                if file.stem < oldest.isoformat():
                    file.unlink(missing_ok=True)
            self.day = day
        return self.folder / f"{day.isoformat()}.jsonl"


@contextmanager
def logging_to(settings: Settings, **fields: str) -> Iterator[None]:
    """Write what the package logs in the block, each line with the fields; handlers of Dagster's runs do it for those."""
    handler, logger = DailyFile(str(settings.home), **fields), logging.getLogger("eve_pipeline")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)


def without_secrets(line: str, secrets: Iterable[str]) -> str:
    """Return a line of JSON with `***` in the place of each secret."""
    for secret in secrets:
        line = line.replace(secret, "***")
    return line


def _formatter(secrets: Collection[str], fields: Mapping[str, str]) -> logging.Formatter:
    def _of_handler(_: object, __: str, known: Fields) -> Fields:
        return {**fields, **known}  # no context variables: requests are made in threads

    def _scrub(_: object, __: str, line: Any) -> str:  # noqa: ANN401 - what the renderer returned
        return without_secrets(line, secrets)

    return structlog.stdlib.ProcessorFormatter(
        processors=[
            _of_handler,
            _fields,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
            _scrub,
        ]
    )


def _fields(_: object, __: str, fields: Fields) -> Fields:
    """Return what is known of a record: when, how bad, which run and cell, what."""
    record: logging.LogRecord = fields["_record"]
    message = fields.pop("event")
    known = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        **fields,
        **_of_dagster(getattr(record, DAGSTERS, None)),
    }
    if cell := getattr(record, "cell", None):
        known["cell"] = str(cell)
    return {name: value for name, value in ({"message": message} | known).items() if value is not None}


def _of_dagster(meta: Mapping[str, Any] | None) -> dict[str, Any]:
    if meta is None:
        return {}
    event = meta["dagster_event"]
    found = {"run_id": meta["run_id"], "job": meta["job_name"], "step": meta["step_key"], "message": meta["orig_message"]}
    return found | (_of_event(event) if event else {})


def _of_event(event: Any) -> dict[str, Any]:  # noqa: ANN401 - a DagsterEvent
    data = event.event_specific_data
    partition = getattr(getattr(data, "materialization", data), "partition", None)
    error = getattr(data, "error", None)
    return {
        "event": event.event_type_value,
        "asset": event.asset_key.to_user_string() if event.asset_key else None,
        "check": getattr(data, "check_name", None),
        "cell" if partition and "|" in partition else "partition": cell_or_partition(partition),
        "error": error.to_string() if error else None,
    }


def cell_or_partition(partition: str | None) -> str | None:
    """Return how people call a partition: a cell as `model x task`, a dataset by its name."""
    return str(Cell.of(*partition.split("|"))) if partition and "|" in partition else partition


def known_secrets(settings: Settings) -> list[str]:
    """Return what never goes into a log: the value of every secret that the package reads, as JSON writes it."""
    return [json.dumps(value, ensure_ascii=False)[1:-1] for value in secret_values(settings)]
