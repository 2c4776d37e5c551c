"""Resolve what a model entry points at today to a revision."""

import hashlib
from pathlib import Path

from eve_pipeline.errors import EveError
from eve_pipeline.vlms.registry import ModelEntry


def model_revision(entry: ModelEntry) -> str:
    """Return the revision that answers come from.

    It is the revision that the entry states, else the digest of a local checkpoint's files, else the commit of the hub's
    model, else the name that a server lists (what it really served is recorded with each reply).

    Raises:
        EveError: there is none to be had; the error names the entry and the ways to get the model.
    """
    if entry.revision:
        return entry.revision
    if entry.path:
        return folder_digest(entry.path, entry)
    return hub_commit(entry) if entry.backend == "transformers" else entry.id


def folder_digest(folder: Path, entry: ModelEntry) -> str:
    """Return the SHA-256 over names and contents of a checkpoint's files, documents left out."""
    files = sorted(file for file in folder.glob("*") if file.is_file() and file.suffix != ".md")
    if not files:
        raise unreachable(entry, f"{folder} is not a folder with a checkpoint")
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            digest.update(f"{file.name}\0{hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


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
