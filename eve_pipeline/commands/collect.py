"""`eve collect`: fetch the answers of batches that have ended."""

from typing import TYPE_CHECKING, Annotated

import polars as pl
import typer
from rich.console import Console

from eve_pipeline.commands.publish import publish_and_tell
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained, show

if TYPE_CHECKING:
    from eve_pipeline.responses.batches import BatchState


@explained
def collect(
    models: Annotated[list[str], typer.Option("--model", help="Only this model's batches; repeatable.")] = [],  # noqa: B006 - typer copies it
    publish: Annotated[bool, typer.Option(help="Publish eve.duckdb where something was collected.")] = True,
) -> None:
    """Show the open batches, and put the answers of those that have ended into the tables."""
    from eve_pipeline.logs import logging_to
    from eve_pipeline.orchestration.reporting import report_collected
    from eve_pipeline.responses.batches import collect as collect_batches

    settings = Settings()
    with logging_to(settings, command="collect"):
        states = list(collect_batches(settings, models))
    if not states:
        Console().print("No batch is open.")
        return
    show(pl.DataFrame([_row(state) for state in states]))
    if ended := {state.cell for state in states if state.is_ended}:
        report_collected(ended, settings)
        if publish:
            publish_and_tell(settings)
    if problems := [f"{state.cell}: {state.state}, {state.problem}" for state in states if state.problem]:
        raise EveError("; ".join(problems), "The other batches are collected; eve run asks again for what has no answer.")


def _row(state: "BatchState") -> dict[str, object]:
    return {
        "cell": str(state.cell),
        "batch": state.batch_id,
        "state": state.state,
        "done": state.n_done,
        "failed": state.n_failed,
        "requests": state.n_requests,
        "submitted (UTC)": f"{state.submitted_at:%Y-%m-%d %H:%M}",
    }
