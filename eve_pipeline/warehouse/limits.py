"""What one question to the published database may take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The limits of one question.

    Args:
        seconds: time until it is ended.
        memory_gb: memory of the query, and of its result, in GB; nothing is spilled to disk.
        rows: rows of the result; None for all.
        threads: threads of DuckDB.
    """

    seconds: float = 60
    memory_gb: float = 2
    rows: int | None = 1_000
    threads: int = 4

    @property
    def n_bytes(self) -> int:
        """The memory in bytes."""
        return int(self.memory_gb * 1e9)


DEFAULT_LIMITS = Limits()
ALL_ROWS = Limits(rows=None)
REFUSED = 3  # exit code of the process that runs a question, after an `EveError`
