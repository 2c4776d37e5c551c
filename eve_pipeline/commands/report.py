"""`eve report`: what the published database says, as one HTML file."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained


@explained
def report(
    output: Annotated[Path | None, typer.Option(help="File to write; by default report.html in EVE_HOME.")] = None,
    prompt: Annotated[str, typer.Option(help="Prompt of the leaderboard.")] = "simple",
    subset: Annotated[list[str] | None, typer.Option(help="Subset to show; again for more. By default all.")] = None,
) -> None:
    """Write the results as one HTML file, to read, print and send."""
    from eve_pipeline.report.writing import Shows, write_report
    from eve_pipeline.warehouse.paths import Warehouse

    warehouse = Warehouse.of(Settings())
    file = write_report(warehouse.database, output or warehouse.report, Shows(prompt, subset or ()))
    Console().print(f"Wrote {file}", highlight=False, soft_wrap=True)
