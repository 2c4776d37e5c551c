"""`eve compact`: make many small files of responses few."""

from typing import Annotated

import polars as pl
import typer
from rich.console import Console

from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained, show


@explained
def compact(dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be merged; change nothing.")] = False) -> None:
    """Merge the parts of each cell's responses into one, while others read and append; no row is changed or dropped."""
    from eve_pipeline.warehouse.compaction import compact as merge
    from eve_pipeline.warehouse.compaction import remove_replaced
    from eve_pipeline.warehouse.paths import Warehouse

    warehouse = Warehouse.of(Settings())
    folders = merge(warehouse, is_dry_run=dry_run)
    if not folders:
        Console().print("There are no responses yet.")
        return
    rows = [{"cell": f"{f.model} x {f.task}", "parts before": f.n_before, "parts after": f.n_after, "rows": f.n_rows} for f in folders]
    show(pl.DataFrame(rows))
    if dry_run:
        return
    n_removed, n_kept = remove_replaced(warehouse)
    Console().print(f"{n_removed} replaced files were removed.", highlight=False)
    if n_kept:
        reason = "for an hour, and while one of the kept publications reads them"
        Console().print(f"{n_kept} more stay {reason}; a later `eve compact` removes them.", highlight=False, soft_wrap=True)
