"""`eve ui`: Dagster's web server and daemon on EVE_HOME."""

import os
import subprocess
import sys
from typing import Annotated

import typer
from rich.console import Console

from eve_pipeline.settings import PROJECT, Settings
from eve_pipeline.terminal import explained


@explained
def ui(port: Annotated[int, typer.Option(help="Port on loopback.")] = 3000) -> None:
    """Open the Dagster UI on EVE_HOME; while it runs, what has changed is asked again and published.

    The page of checks, to which asset checks link, is served on the next port.
    """
    from eve_pipeline.orchestration.health import release_abandoned_runs
    from eve_pipeline.orchestration.instance import dagster_home
    from eve_pipeline.quality.page import write_page
    from eve_pipeline.warehouse.paths import Warehouse

    settings = Settings()
    for run_id in release_abandoned_runs(settings):
        Console(stderr=True).print(f"Run {run_id[:8]} had lost its process and is retried; what it had asked is kept.")
    environment = os.environ | {
        "EVE_HOME": str(settings.home),
        "EVE_UI_URL": settings.ui_url or f"http://127.0.0.1:{port}",
        "EVE_PAGES_URL": f"http://127.0.0.1:{port + 1}",
        "DAGSTER_HOME": str(dagster_home(settings)),
        "DO_NOT_TRACK": "1",
        "PYTHONSAFEPATH": "1",  # else a user's file in the working directory stands for a module of that name
    }
    warehouse = Warehouse.of(settings)
    write_page(warehouse)
    pages = [sys.executable, "-m", "eve_pipeline.orchestration.pages", str(port + 1), str(warehouse.checks)]
    subprocess.Popen(pages, env=environment)  # ends with Dagster, whose child it becomes
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(PROJECT / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(port)]
    os.execve(sys.executable, command, environment)  # noqa: S606 - replaces this process, so that signals reach Dagster
