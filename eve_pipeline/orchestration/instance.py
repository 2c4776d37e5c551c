"""The Dagster instance of an EVE_HOME: runs, events and partitions under EVE_HOME/dagster."""

import shutil
from pathlib import Path

import dagster as dg

from eve_pipeline.settings import Settings


def dagster_home(settings: Settings) -> Path:
    """Return the instance's folder; on first use it gets the shipped dagster.yaml, which the user may then edit."""
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    if not (config := home / "dagster.yaml").exists():
        shutil.copyfile(settings.assets_data / "dagster.yaml", config)
    return home


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """Return the instance; the caller closes it by leaving its context."""
    return dg.DagsterInstance.from_config(str(dagster_home(settings)))
