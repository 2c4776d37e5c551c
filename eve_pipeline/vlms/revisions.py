"""Resolve what a model entry points at today to a revision."""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from eve_pipeline.errors import EveError
from eve_pipeline.files import sha256_of_file
from eve_pipeline.vlms.registry import ModelEntry

HUB_TIMEOUT_S: Final = 10


def model_revision(entry: ModelEntry, asked_before: str | None = None) -> str:
    """Return the revision that answers come from.

    It is the revision that the entry states, else the digest of a local checkpoint's files, else the commit of the hub's
    model, else the model's name, with its server's where that is not OpenAI's (what it really served is recorded with each reply).
    Where the hub cannot be reached, it is the copy in the local cache of the commit that was `asked_before`, else of the one
    that the hub named when the model was downloaded.

    Raises:
        EveError: there is none to be had; the error names the entry and the ways to get the model.
    """
    if entry.revision:
        return entry.revision
    if entry.path:
        return folder_digest(entry.path, entry)
    if entry.backend == "transformers":
        return _hub_or_cached_commit(entry, asked_before)
    return f"{entry.id} at {urlsplit(entry.base_url).netloc}" if entry.base_url else entry.id


def folder_digest(folder: Path, entry: ModelEntry) -> str:
    """Return the digest of a checkpoint's files; an error names the entry where there are none."""
    digest = checkpoint_digest(folder)
    if digest is None:
        raise unreachable(entry, f"{folder} is not a folder with a checkpoint")
    return digest


def checkpoint_digest(folder: Path) -> str | None:
    """Return the SHA-256 over names and contents of a folder's files, documents and hidden ones left out; None where there are none."""
    files = sorted(file for file in _walk(folder) if file.is_file() and file.suffix != ".md")
    digest = hashlib.sha256()
    for file in files:
        stat = file.stat()
        digest.update(f"{file.relative_to(folder)}\0{_file_digest(file, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)}\n".encode())
    return digest.hexdigest() if files else None


def _walk(folder: Path) -> Iterator[Path]:
    """Yield a folder and all in it and in folders that it links to, each once; what is hidden is of tools, not of the model."""
    seen = set()
    for root, folders, files in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(root)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(root)
        yield from (Path(root) / name for name in files if not name.startswith("."))


@cache
def _file_digest(file: Path, size: int, mtime_ns: int, ctime_ns: int) -> str:  # noqa: ARG001 - read again only when they change
    return sha256_of_file(file)


def is_settled(folder: Path, seconds: float) -> bool:
    """Whether nothing in a folder was written, renamed or removed within the last seconds, as while a checkpoint is copied there.

    The system's own time of the last change counts: the other one may be a copy's, or in the future.
    """
    try:
        status = [path.stat() for path in _walk(folder) if path.exists()]
    except FileNotFoundError:  # removed since it was listed
        return False
    return all(time.time() - one.st_ctime >= seconds for one in status)


def hub_commit(entry: ModelEntry) -> str:
    """Return the commit that the hub names today.

    Raises:
        EveError: the hub cannot be reached, or has no such model.
    """
    from huggingface_hub import model_info

    try:
        return str(model_info(entry.id, timeout=HUB_TIMEOUT_S).sha)
    except Exception as error:
        raise unreachable(entry, str(error)) from error


def _hub_or_cached_commit(entry: ModelEntry, asked_before: str | None) -> str:
    from huggingface_hub import snapshot_download

    try:
        return hub_commit(entry)
    except EveError:
        for revision in (asked_before, None):  # a commit that was downloaded by its name is no ref of the cache
            with suppress(Exception):  # not in the cache either
                return Path(snapshot_download(entry.id, revision=revision, local_files_only=True)).name
        raise


def unreachable(entry: ModelEntry, reason: str) -> EveError:
    """Return the error that names an entry's model and the ways to get it."""
    to_do = f"Download it where there is a network (hf download {entry.id}), or set `path:` of the entry to a local folder"
    if entry.path:
        to_do = f"Put the whole checkpoint into {entry.path}, or correct `path:` of the entry"
    return EveError(
        f"Model {entry.key!r} ({entry.id}) cannot be reached: {reason.splitlines()[0] if reason else 'unknown reason'}",
        f"{to_do}, or serve it elsewhere and add an entry with `backend: openai` and its `base_url:`.",
    )
