"""One row of a sheet, whatever file it came in."""

from datetime import datetime
from typing import NamedTuple

FIELDS = ("task", "first", "second", "choice", "confidence", "comment")


class Row(NamedTuple):
    """A row as text: its FIELDS, all present, empty where nothing is said; `problem` says why it cannot be read, if so."""

    line: int
    fields: dict[str, str]
    problem: str = ""
    duration_s: float | None = None
    created_at: datetime | None = None
