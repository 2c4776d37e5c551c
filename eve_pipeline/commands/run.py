"""`eve run`: ask what is missing, read the replies, publish."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

import polars as pl
import typer
from rich.console import Console

from eve_pipeline.commands.publish import publishing
from eve_pipeline.commands.selection import Datasets, Limit, Models, Prompts, Repeats, Subsets, prepare_missing
from eve_pipeline.commands.warnings import warn_of_broken_entries
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained, show

if TYPE_CHECKING:
    from eve_pipeline.responses.budget import Budget
    from eve_pipeline.responses.observing import Observed
    from eve_pipeline.responses.runner import CellOutcome

INTERRUPTED = 128 + signal.SIGINT


@explained
def run(
    models: Models,
    datasets: Datasets = [],  # noqa: B006 - typer copies it
    subsets: Subsets = [],  # noqa: B006
    prompts: Prompts = [],  # noqa: B006
    repeats: Repeats = 1,
    limit: Limit = None,
    max_usd: Annotated[float | None, typer.Option(min=0, help="Send no request that is expected to take the run's cost above it.")] = None,
    publish: Annotated[bool, typer.Option(help="Publish eve.duckdb at the end.")] = True,
) -> None:
    """Ask models what is missing, read the replies, publish the results."""
    from eve_pipeline.logs import logging_to
    from eve_pipeline.responses.answering import answer_cell, is_planned
    from eve_pipeline.responses.budget import Budget
    from eve_pipeline.responses.cells import select_cells
    from eve_pipeline.responses.extent import Extent
    from eve_pipeline.responses.observing import observe_cells
    from eve_pipeline.responses.runner import ask_cells
    from eve_pipeline.warehouse.paths import Warehouse

    settings, budget = Settings(), Budget(max_usd)
    with logging_to(settings, command="run"), _keeping_what_came(budget), publishing(settings) if publish else nullcontext() as publish_now:
        cells = select_cells(settings, models=models, datasets=datasets, subsets=subsets, prompts=prompts)
        warn_of_broken_entries(settings)
        prepare_missing(cells, settings)
        observed, outcomes = observe_cells(cells, settings), []
        with closing(ask_cells(cells, settings, extent=Extent(repeats, limit), budget=budget)) as ended:
            for outcome in ended:
                outcomes.append(outcome)
                if is_planned(outcome.cell, Warehouse.of(settings)):
                    answer_cell(outcome.cell, settings)  # of a failed cell too: what is missing must show
        with ThreadPoolExecutor(1) as beside:  # dbt works in its own process
            reporting = beside.submit(_report, outcomes, observed, settings)
            _show(sorted(outcomes, key=lambda outcome: cells.index(outcome.cell)))
            if publish_now:
                publish_now()
            reporting.result()
    _raise_unfinished(outcomes, budget)


@contextmanager
def _keeping_what_came(budget: "Budget") -> Iterator[None]:
    """Take SIGTERM, which schedulers send, for Ctrl-C; say what was kept and exit with 130."""
    # SIGINT too: behind polars' handler for it, waiting for a thread would only be interrupted at its end
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        console = Console(stderr=True)
        console.print(f"Interrupted: {budget.n_replies} replies came in this run; all are kept.", highlight=False)
        console.print("The same command goes on from here; eve publish shows what there is.", highlight=False)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(outcomes: "list[CellOutcome]", observed: "list[Observed]", settings: Settings) -> None:
    from eve_pipeline.orchestration.reporting import report_cells  # imports dagster, which takes a second
    from eve_pipeline.responses.observing import about

    asked = [outcome.cell for outcome in outcomes if not outcome.failure]  # also those that wait for a batch
    report_cells([outcome.cell for outcome in outcomes if outcome.is_done], settings, about(asked, observed))


def _show(outcomes: "list[CellOutcome]") -> None:
    columns = {"requests": "n_requests", "asked now": "n_asked", "submitted": "n_submitted", "errors": "n_errors", "left": "n_left"}
    shown = {
        name: field
        for name, field in columns.items()
        if field not in {"n_submitted", "n_left"} or any(getattr(outcome, field) for outcome in outcomes)
    }
    show(pl.DataFrame([{"cell": str(o.cell)} | {name: getattr(o, field) for name, field in shown.items()} for o in outcomes]))


def _raise_unfinished(outcomes: "list[CellOutcome]", budget: "Budget") -> None:
    if failures := dict.fromkeys(outcome.failure for outcome in outcomes if outcome.failure):
        raise EveError("; ".join(filter(None, failures)), "The other cells are done; run the same command again for these.")
    if n_left := sum(outcome.n_left for outcome in outcomes):
        raise EveError(
            f"The budget is used up: {budget.spent_usd:.4f} of {budget.max_usd} USD were spent, {n_left} requests are left",
            "The same command, with what the rest may cost as --max-usd, goes on from here.",
        )
    if n_submitted := sum(outcome.n_submitted for outcome in outcomes):
        Console().print(f"{n_submitted} requests are with batches, which end within a day: eve collect fetches the answers.")
    if any(outcome.n_errors for outcome in outcomes):
        raise EveError("Some requests failed", "Run the same command again: it asks only what failed.")
