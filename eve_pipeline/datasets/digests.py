"""SHA-256 of files."""

import hashlib
from pathlib import Path


def sha256_of_file(file: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex, read in pieces."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
