"""Files: replaced whole or not at all, and known by their SHA-256."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ulid import ULID


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the block a name beside `path` to write to, in a folder that is made where it is not there.

    What it wrote takes the place of `path` at its end; a block that raises changes nothing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{ULID()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sha256_of_file(file: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex, read in pieces."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
