"""`eve ui`: Dagster's web server and daemon on EVE_HOME."""

import os
import sys
from typing import Annotated

import typer
from rich.console import Console

from eve_pipeline.settings import PROJECT, Settings
from eve_pipeline.terminal import explained


@explained
def ui(port: Annotated[int, typer.Option(help="Port on loopback.")] = 3000) -> None:
    """Open the Dagster UI on EVE_HOME; while it runs, what has changed is asked again and published."""
    from eve_pipeline.orchestration.health import release_abandoned_runs
    from eve_pipeline.orchestration.instance import dagster_home

    settings = Settings()
    for run_id in release_abandoned_runs(settings):
        Console(stderr=True).print(f"Run {run_id[:8]} had lost its process and is retried; what it had asked is kept.")
    environment = os.environ | {
        "EVE_HOME": str(settings.home),
        "EVE_UI_URL": settings.ui_url or f"http://127.0.0.1:{port}",
        "DAGSTER_HOME": str(dagster_home(settings)),
        "DO_NOT_TRACK": "1",
        "PYTHONSAFEPATH": "1",  # else a user's file in the working directory stands for a module of that name
    }
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(PROJECT / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(port)]
    os.execve(sys.executable, command, environment)  # noqa: S606 - replaces this process, so that signals reach Dagster
