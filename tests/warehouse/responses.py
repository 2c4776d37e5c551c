"""Responses for tests: rows by a few numbers, parts by their names, and what a full scan of all files would say."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table, write_table

START = datetime(2026, 1, 1, tzinfo=UTC)


def key(number: int) -> str:
    return f"{number:064x}"


def responses(*rows: tuple[int, str, int]) -> pl.DataFrame:
    """One row for each (number of the key, delivery, second)."""
    made = [
        {
            "request_key": key(number),
            "text": None if delivery == "error" else f"{number} at {second}",
            "delivery": delivery,
            "error": "timeout" if delivery == "error" else None,
            "attempts": 1,
            "created_at": START + timedelta(seconds=second),
        }
        for number, delivery, second in rows
    ]
    return pl.DataFrame(made, schema=contracts()["responses"].polars_schema)


def write_part(warehouse: Warehouse, name: str, *rows: tuple[int, str, int], task: str = "photos.simple", model: str = "m") -> Path:
    file = warehouse.file("responses", model, task, f"part-{name}")
    write_table(responses(*rows), "responses", file)
    return file


def scanned(warehouse: Warehouse) -> dict[str, tuple[str, datetime]]:
    """Delivery and time of each key's row in a full scan of all files: the earliest good one, else the latest error."""
    resolved: dict[str, tuple[str, datetime]] = {}
    rows = read_table("responses", warehouse.files("responses")).select("request_key", "delivery", "created_at").sort("created_at")
    for request_key, delivery, created_at in rows.iter_rows():
        is_error = delivery == "error"
        if request_key not in resolved or resolved[request_key][0] == "error":
            resolved[request_key] = (delivery, created_at)
        assert is_error or resolved[request_key][0] != "error"
    return resolved
