"""`eve run`: ask what is missing, read the replies, publish."""

from typing import Annotated

import polars as pl
import typer

from eve_pipeline.commands.publish import publish_and_tell
from eve_pipeline.commands.selection import Datasets, Limit, Models, Prompts, Repeats, Subsets, prepare_missing
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained, show


@explained
def run(
    models: Models,
    datasets: Datasets = [],  # noqa: B006 - typer copies it
    subsets: Subsets = [],  # noqa: B006
    prompts: Prompts = [],  # noqa: B006
    repeats: Repeats = 1,
    limit: Limit = None,
    publish: Annotated[bool, typer.Option(help="Publish eve.duckdb at the end.")] = True,
) -> None:
    """Ask models what is missing, read the replies, publish the results."""
    from eve_pipeline.orchestration.reporting import report_cells
    from eve_pipeline.responses.answering import answer_cell, is_planned
    from eve_pipeline.responses.cells import select_cells
    from eve_pipeline.responses.runner import ask_cells
    from eve_pipeline.warehouse.paths import Warehouse

    settings = Settings()
    cells = select_cells(settings, models=models, datasets=datasets, subsets=subsets, prompts=prompts)
    prepare_missing(cells, settings)
    outcomes = []
    for outcome in ask_cells(cells, settings, repeats=repeats, limit=limit):
        outcomes.append(outcome)
        if is_planned(outcome.cell, Warehouse.of(settings)):
            answer_cell(outcome.cell, settings)  # of a failed cell too: what is missing must show
    done = [outcome.cell for outcome in outcomes if not outcome.failure]
    report_cells(done, settings)
    show(pl.DataFrame([{"cell": str(o.cell), "requests": o.n_requests, "asked now": o.n_asked, "errors": o.n_errors} for o in outcomes]))
    if publish:
        publish_and_tell(settings)
    if failures := [outcome.failure for outcome in outcomes if outcome.failure]:
        raise EveError("; ".join(failures), "The other cells are done; run the same command again for these.")
    if any(outcome.n_errors for outcome in outcomes):
        raise EveError("Some requests failed", "Run the same command again: it asks only what failed.")
