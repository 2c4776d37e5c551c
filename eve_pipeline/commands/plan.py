"""`eve plan`: what a run would ask."""

import polars as pl
from rich.console import Console

from eve_pipeline.commands.selection import Datasets, Limit, Models, Prompts, Repeats, Subsets, prepare_missing
from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained, show


@explained
def plan(
    models: Models,
    datasets: Datasets = [],  # noqa: B006 - typer copies it
    subsets: Subsets = [],  # noqa: B006
    prompts: Prompts = [],  # noqa: B006
    repeats: Repeats = 1,
    limit: Limit = None,
) -> None:
    """Show what `eve run` with the same options would ask; no model is asked, but a dataset that was never prepared is."""
    from eve_pipeline.responses.cells import select_cells
    from eve_pipeline.responses.journal import fold_abandoned_journals
    from eve_pipeline.responses.planning import plan_cell
    from eve_pipeline.warehouse.paths import Warehouse

    settings = Settings()
    fold_abandoned_journals(Warehouse.of(settings))
    cells = select_cells(settings, models=models, datasets=datasets, subsets=subsets, prompts=prompts)
    prepare_missing(cells, settings)
    plans = [plan_cell(cell, settings, repeats=repeats, limit=limit) for cell in cells]
    show(pl.DataFrame([{"cell": str(p.cell), "wanted": p.wanted.height, "missing": p.missing.height} for p in plans]))
    n_missing = pl.concat([p.missing for p in plans])["request_key"].n_unique()
    Console().print(f"{n_missing} requests to make; cells that share pictures and settings share requests.")
