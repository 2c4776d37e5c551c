"""What was last found in each table: one JSON file a partition in EVE_HOME/checks, replaced whole."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from eve_pipeline.files import replacing
from eve_pipeline.quality.checking import CheckResult
from eve_pipeline.quality.suites.drift import Figures
from eve_pipeline.warehouse.paths import Warehouse


class Record(BaseModel):
    """The results of one partition of a table, its figures, and those of the materialization before, with which it is compared.

    `version` is the newest time of change of its files, in ns: checking the same materialization again compares with the same figures.
    """

    model_config = ConfigDict(frozen=True)

    table: str
    partition: tuple[str, ...]
    version: int
    checked_at: datetime
    figures: Figures | None
    previous: Figures | None
    results: tuple[CheckResult, ...]


def record_file(warehouse: Warehouse, table: str, partition: tuple[str, ...]) -> Path:
    """Where a partition's record lies."""
    return warehouse.checks.joinpath(table, *partition[:-1], f"{partition[-1]}.json")


def read_record(warehouse: Warehouse, table: str, partition: tuple[str, ...]) -> Record | None:
    """Return the last record of a partition; None where there is none, or another version of the program wrote it."""
    try:
        return Record.model_validate_json(record_file(warehouse, table, partition).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def compared_with(last: Record | None, version: int) -> Figures | None:
    """Return the figures of the last checked materialization before `version`."""
    if last is None:
        return None
    return last.previous if last.version == version or last.figures is None else last.figures


def keep(record: Record, warehouse: Warehouse) -> Record:
    """Write a record in the place of the last one, and return it."""
    with replacing(record_file(warehouse, record.table, record.partition)) as temporary:
        temporary.write_text(record.model_dump_json(indent=1), encoding="utf-8")
    return record


def records(warehouse: Warehouse) -> Iterator[Record]:
    """Yield the last record of every partition, in order."""
    for file in sorted(warehouse.checks.rglob("*.json")):
        table, *partition = file.relative_to(warehouse.checks).with_suffix("").parts
        if record := read_record(warehouse, table, tuple(partition)):
            yield record


def now() -> datetime:
    """The time of a check, UTC."""
    return datetime.now(UTC)
