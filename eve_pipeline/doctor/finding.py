"""What the doctor says of one thing."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

LISTED = 5


class Finding(NamedTuple):
    """One thing looked at: `ok`; `warning`, which stops nothing; or `error`, which stops something that is in use."""

    what: str
    status: Literal["ok", "warning", "error"]
    found: str
    to_do: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether nothing is stopped by it."""
        return self.status != "error"


def listed(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
