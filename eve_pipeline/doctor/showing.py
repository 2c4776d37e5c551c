"""Findings as a table that fits a narrow terminal: what to do stands below what was found."""

from collections.abc import Iterable

from rich import box
from rich.table import Table
from rich.text import Text

from eve_pipeline.doctor.finding import Finding

MARKS = {"ok": Text("ok", "green"), "warning": Text("!", "yellow"), "error": Text("!!", "bold red")}
WIDEST_NAME = 30


def findings_table(findings: Iterable[Finding]) -> Table:
    """Return a table of them; an arrow leads to what to do."""
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column("", min_width=2)
    table.add_column("what", overflow="fold", max_width=WIDEST_NAME)
    table.add_column("found", overflow="fold")
    for finding in findings:
        found = Text("\n").join([Text(finding.found), *([Text(f"-> {finding.to_do}", "bold")] if finding.to_do else [])])
        table.add_row(MARKS[finding.status], Text(finding.what), found)
    return table
