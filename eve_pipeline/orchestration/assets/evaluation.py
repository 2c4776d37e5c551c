"""Ask models and read their replies; one partition a cell, many cells a run."""

from collections.abc import Iterable

import dagster as dg
import polars as pl

from eve_pipeline.orchestration import metadata
from eve_pipeline.orchestration.partitions import GRID, cells_of, partition_of
from eve_pipeline.responses.answering import answer_cell
from eve_pipeline.responses.runner import CellOutcome, ask_cells
from eve_pipeline.settings import Settings

ALL_ITEMS = dg.AssetDep("benchmark_items", partition_mapping=dg.AllPartitionMapping())
DESCRIPTIONS = {
    "configs": "How each cell asks: everything that can change an answer.",
    "requests": "What each cell asks for.",
    "responses": "What came back, unread and for ever.",
    "answers": "What is read in the replies; one row a request.",
}


@dg.multi_asset(
    specs=[
        dg.AssetSpec("configs", deps=[ALL_ITEMS], description=DESCRIPTIONS["configs"], kinds={"parquet"}),
        dg.AssetSpec("requests", deps=[ALL_ITEMS, "configs"], description=DESCRIPTIONS["requests"], kinds={"parquet"}),
        dg.AssetSpec("responses", deps=["requests"], description=DESCRIPTIONS["responses"], kinds={"parquet"}),
        dg.AssetSpec("answers", deps=["configs", "requests", "responses"], description=DESCRIPTIONS["answers"], kinds={"parquet"}),
    ],
    name="evaluation",
    group_name="evaluation",
    partitions_def=GRID,
    backfill_policy=dg.BackfillPolicy.single_run(),
    can_subset=True,
)
def evaluation(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> None:
    """Ask what is missing of each cell, read its replies, and report the cell as soon as it is done.

    Selecting `answers` alone reads the stored replies again and asks nothing. A cell that fails does not stop the others;
    the run then fails at its end and names it.
    """
    cells = cells_of(context)
    selected = {key.to_user_string() for key in context.selected_asset_keys}
    outcomes: Iterable[CellOutcome] = map(CellOutcome, cells) if selected == {"answers"} else ask_cells(cells, settings)
    failures = {}
    for outcome in outcomes:
        if outcome.failure:
            failures[str(outcome.cell)] = outcome.failure
            continue
        answers = answer_cell(outcome.cell, settings) if "answers" in selected else None
        _report(context, selected, outcome, answers)
    if failures:
        raise dg.Failure(f"{len(failures)} of {len(cells)} cells failed, the others are done: {failures}")


def _report(context: dg.AssetExecutionContext, selected: set[str], outcome: CellOutcome, answers: pl.DataFrame | None) -> None:
    counts = {"requests": outcome.n_requests, "asked now": outcome.n_asked, "errors": outcome.n_errors}
    details: dict[str, dict[str, dg.RawMetadataValue]] = {"responses": dict(counts)}
    if answers is not None:
        statuses = answers.group_by("status").len("n").sort("n", descending=True)
        details["answers"] = {
            "dagster/partition_row_count": answers.height,
            "statuses": metadata.table(statuses, rows=statuses.height),
            "preview": metadata.table(answers.select("image_id", "raw_label", "label", "match", "status")),
        }
    for table in sorted(selected):
        context.log_event(dg.AssetMaterialization(asset_key=table, partition=partition_of(outcome.cell), metadata=details.get(table, {})))
