"""`eve doctor`: is everything in its place?"""

import typer
from rich.console import Console

from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained


@explained
def doctor() -> None:
    """Check that everything the pipeline needs is there, and say what to do where it is not."""
    from eve_pipeline.doctor import diagnose, findings_table

    findings = diagnose(Settings())
    Console().print(findings_table(findings))
    if not all(finding.is_ok for finding in findings):
        raise typer.Exit(1)
