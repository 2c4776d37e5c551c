"""Resolve what a model entry points at today to a revision."""

import hashlib
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from eve_pipeline.errors import EveError
from eve_pipeline.files import sha256_of_file
from eve_pipeline.vlms.registry import ModelEntry


def model_revision(entry: ModelEntry) -> str:
    """Return the revision that answers come from.

    It is the revision that the entry states, else the digest of a local checkpoint's files, else the commit of the hub's
    model, else the model's name, with its server's where that is not OpenAI's (what it really served is recorded with each reply).

    Raises:
        EveError: there is none to be had; the error names the entry and the ways to get the model.
    """
    if entry.revision:
        return entry.revision
    if entry.path:
        return folder_digest(entry.path, entry)
    if entry.backend == "transformers":
        return hub_commit(entry)
    return f"{entry.id} at {urlsplit(entry.base_url).netloc}" if entry.base_url else entry.id


def folder_digest(folder: Path, entry: ModelEntry) -> str:
    """Return the digest of a checkpoint's files; an error names the entry where there are none."""
    digest = checkpoint_digest(folder)
    if digest is None:
        raise unreachable(entry, f"{folder} is not a folder with a checkpoint")
    return digest


def checkpoint_digest(folder: Path) -> str | None:
    """Return the SHA-256 over names and contents of a folder's files, documents left out; None where there are none."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix != ".md")
    digest = hashlib.sha256()
    for file in files:
        stat = file.stat()
        digest.update(f"{file.relative_to(folder)}\0{_file_digest(file, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)}\n".encode())
    return digest.hexdigest() if files else None


@cache
def _file_digest(file: Path, size: int, mtime_ns: int, ctime_ns: int) -> str:  # noqa: ARG001 - read again only when they change
    return sha256_of_file(file)


def hub_commit(entry: ModelEntry) -> str:
    """Return the commit of the hub's model; where the hub cannot be reached, that of the copy in the local cache."""
    from huggingface_hub import model_info, snapshot_download

    try:
        return str(model_info(entry.id).sha)
    except Exception as online:  # noqa: BLE001 - every reason is told below
        try:
            return Path(snapshot_download(entry.id, local_files_only=True)).name
        except Exception:  # noqa: BLE001 - not in the cache either
            raise unreachable(entry, str(online)) from online


def unreachable(entry: ModelEntry, reason: str) -> EveError:
    """Return the error that names an entry's model and the ways to get it."""
    return EveError(
        f"Model {entry.key!r} ({entry.id}) cannot be reached: {reason.splitlines()[0] if reason else 'unknown reason'}",
        f"Download it where there is a network (hf download {entry.id}), or set `path:` of the entry to a local folder, "
        "or serve it elsewhere and add an entry with `backend: openai` and its `base_url:`.",
    )
