"""`eve doctor`: what the pipeline needs, whether it is there, and what to do where it is not."""

import os
import shutil
from typing import NamedTuple

from eve_pipeline.errors import EveError
from eve_pipeline.responses.batches import open_batches
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.registry import model_entries
from eve_pipeline.warehouse.paths import Warehouse

LEAST_FREE_GB = 5


class Finding(NamedTuple):
    """One thing looked at."""

    what: str
    is_ok: bool
    found: str
    to_do: str = ""


def diagnose(settings: Settings) -> list[Finding]:
    """Return what was found."""
    return [
        _home(settings),
        _disk(settings),
        _database(settings),
        _journals(settings),
        _batches(settings),
        *_local_models(settings),
        _device(settings),
    ]


def _home(settings: Settings) -> Finding:
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EveError(f"EVE_HOME {settings.home} cannot be made: {error}", "Set EVE_HOME to a folder that can be written.") from error
    is_writable = os.access(settings.home, os.W_OK)
    return Finding(
        "EVE_HOME", is_writable, str(settings.home), "" if is_writable else "Make it writable, or set EVE_HOME to another folder."
    )


def _disk(settings: Settings) -> Finding:
    free_gb = shutil.disk_usage(settings.home).free / 1e9
    is_enough = free_gb >= LEAST_FREE_GB
    return Finding("free disk", is_enough, f"{free_gb:.0f} GB", "" if is_enough else f"Free {LEAST_FREE_GB} GB, or move EVE_HOME.")


def _database(settings: Settings) -> Finding:
    database = Warehouse.of(settings).database
    found = str(database.resolve()) if database.exists() else "nothing published yet"
    is_ok = database.exists() or not database.is_symlink()
    return Finding("eve.duckdb", is_ok, found, "" if database.exists() else "Run eve demo, eve run or eve publish.")


def _journals(settings: Settings) -> Finding:
    n_journals = len(list(Warehouse.of(settings).journals.glob("*.jsonl")))
    return Finding(
        "journals", is_ok=True, found=f"{n_journals} in use or abandoned", to_do="The next run folds them in." if n_journals else ""
    )


def _batches(settings: Settings) -> Finding:
    n_batches = len(open_batches(Warehouse.of(settings)))
    return Finding("batches", is_ok=True, found=f"{n_batches} open", to_do="Run eve collect when they have ended." if n_batches else "")


def _local_models(settings: Settings) -> list[Finding]:
    entries = [entry for entry in model_entries(settings).values() if entry.path]
    return [
        Finding(
            f"model {entry.key}",
            is_ok := bool(entry.path and (entry.path / "config.json").exists()),
            str(entry.path),
            "" if is_ok else "Put the checkpoint there, or correct the entry's path.",
        )
        for entry in entries
    ]


def _device(settings: Settings) -> Finding:
    from eve_pipeline.accelerator import pick_device

    return Finding("torch device", is_ok=True, found=str(pick_device(settings.device)))
