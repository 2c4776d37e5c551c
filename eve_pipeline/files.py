"""Files: replaced whole or not at all, and known by their SHA-256."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ulid import ULID

from eve_pipeline.errors import EveError

MAKE_ROOM: Final = "Make room, or make the disk writable, then run the same command again: what was stored is kept."
READ_ONLY: Final = (errno.EROFS, errno.EACCES, errno.EPERM)
_NO_ROOM: Final = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS))


def is_out_of_room(said: object) -> bool:
    """Whether an error, of this process or told by another one, is that of a full or read-only disk; libraries wrap the system's."""
    return any(reason in str(said) for reason in _NO_ROOM)


def unwritable(path: Path, error: object) -> EveError:
    """Return the error that names a file which cannot be written."""
    reason = (isinstance(error, OSError) and error.strerror) or error  # else it names the temporary file
    return EveError(f"{path} cannot be written: {reason}", MAKE_ROOM)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the block a name beside `path` to write to, in a folder that is made where it is not there.

    What it wrote takes the place of `path` at its end; a block that raises changes nothing.

    Raises:
        EveError: the disk is full or read-only.
    """
    temporary = path.with_name(f".{path.name}.{ULID()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except Exception as error:
        if isinstance(error, EveError) or not is_out_of_room(error):
            raise
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):  # which would hide what went wrong
            temporary.unlink()


def sha256_of_file(file: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex, read in pieces."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
