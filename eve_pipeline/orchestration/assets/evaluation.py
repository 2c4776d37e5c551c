"""Ask models and read their replies; one partition a cell, many cells a run."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import dagster as dg
import polars as pl

from eve_pipeline.errors import EveError
from eve_pipeline.orchestration import metadata
from eve_pipeline.orchestration.automation import AUTOMATED, RE_EVALUATE
from eve_pipeline.orchestration.checks import CELL_CHECK_SPECS, check_cell, described
from eve_pipeline.orchestration.partitions import GRID, cells_of, partition_of
from eve_pipeline.orchestration.pools import claimed, pools_of
from eve_pipeline.orchestration.revisions import record
from eve_pipeline.quality.checking import Rule, Rules
from eve_pipeline.quality.page import write_page
from eve_pipeline.responses.answering import answer_cell
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.observing import observe_cells
from eve_pipeline.responses.reevaluation import ask_again
from eve_pipeline.responses.runner import CellOutcome, ask_cells
from eve_pipeline.responses.served import served_as
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse

WITHIN_BUDGET: Final = "within_monthly_budget"
SERVED_AS_ONE: Final = "served_as_one"
OWN_CHECKS: Final[Rules] = {
    WITHIN_BUDGET: Rule(
        "what is asked without a hand fits the month's budget of the model", "Ask by hand (`eve run`), or raise its max_usd_per_month."
    ),
    SERVED_AS_ONE: Rule(
        "one served model and build gave all replies", "Compare the answers before and after; give the entry a new `revision:`.", "warning"
    ),
}
"""Checks that only this asset can make: they are about asking, not about a table."""
ALL_ITEMS = dg.AssetDep("benchmark_items", partition_mapping=dg.AllPartitionMapping())
REVISIONS = [
    dg.AssetDep(asset, partition_mapping=dg.MultiToSingleDimensionPartitionMapping(dimension))
    for asset, dimension in (("model_revision", "model"), ("task_revision", "task"))
]
Deps = list[dg.AssetDep | str]
ASKED: dict[str, tuple[str, Deps]] = {
    "configs": ("How each cell asks: everything that can change an answer.", [ALL_ITEMS]),
    "requests": ("What each cell asks for.", [ALL_ITEMS, "configs"]),
    "responses": ("What came back, unread and for ever.", ["requests"]),
}
ANSWERS: tuple[str, Deps] = ("What is read in the replies; one row a request.", ["configs", "requests", "responses"])


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            table, description=description, deps=[*deps, *REVISIONS], automation_condition=RE_EVALUATE, skippable=True, kinds={"parquet"}
        )
        for table, (description, deps) in {**ASKED, "answers": ANSWERS}.items()
    ],
    check_specs=[
        *CELL_CHECK_SPECS,
        *(
            dg.AssetCheckSpec(check, asset="responses", description=described(rule), partitions_def=GRID)
            for check, rule in OWN_CHECKS.items()
        ),
    ],
    name="evaluation",
    group_name="evaluation",
    partitions_def=GRID,
    backfill_policy=dg.BackfillPolicy.single_run(),
    can_subset=True,
)
def evaluation(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> Iterator[dg.MaterializeResult[None]]:
    """Ask what is missing of each cell, read its replies, check the answers, and report the cell as soon as it is done.

    Selecting `answers` alone reads the stored replies again and asks nothing. A cell that fails does not stop the others;
    the run then fails at its end and names it. Nothing is yielded: Dagster would mark all partitions of the run at once.
    """
    cells = cells_of(context)
    selected = {key.to_user_string() for key in context.selected_asset_keys}
    if selected & set(ASKED) and "responses" not in selected:
        raise dg.Failure("Configs and requests are written when the model is asked: select responses too.")
    failures = {}
    with claimed(pools_of(cells, settings) if "responses" in selected else (), context):
        for outcome in _outcomes(cells, selected, context, settings):
            try:
                found_wrong = _report(context, outcome, selected, settings)
            except EveError as error:
                found_wrong = str(error)
            except Exception as error:
                context.log.exception("%s could not be read or checked", outcome.cell)
                found_wrong = f"{type(error).__name__}: {error}"
            if failure := outcome.failure or found_wrong:
                failures[str(outcome.cell)] = failure
    write_page(Warehouse.of(settings))
    if failures:
        raise dg.Failure(
            f"{len(failures)} of {len(cells)} cells failed, the others are done: {failures}",
            metadata={metadata.FAILED_CELLS: list(failures)},
        )
    yield from ()


def _outcomes(cells: list[Cell], selected: set[str], context: dg.AssetExecutionContext, settings: Settings) -> Iterable[CellOutcome]:
    if "responses" not in selected:
        return map(CellOutcome, cells)
    record(observe_cells(cells, settings), context.instance)
    return ask_again(cells, settings) if context.run.tags.items() >= AUTOMATED.items() else ask_cells(cells, settings)


def _report(context: dg.AssetExecutionContext, outcome: CellOutcome, selected: set[str], settings: Settings) -> str | None:
    """Log what was done for one cell; return what its checks found wrong, if they did."""
    partition = partition_of(outcome.cell)
    counts = {"requests": outcome.n_requests, "asked now": outcome.n_asked, "errors": outcome.n_errors}
    if outcome.n_submitted:
        context.log.info("%s: %d requests are with batches; collected_batches fetches the answers", outcome.cell, outcome.n_submitted)
    if "responses" in selected:
        context.log_event(_within_budget(outcome))
        if outcome.is_done:
            context.log_event(_served_as_one(outcome.cell, settings))
    for table in sorted(selected & set(ASKED)) if outcome.is_done else ():
        context.log_event(dg.AssetMaterialization(table, partition=partition, metadata=counts if table == "responses" else {}))
    if selected and "answers" not in selected:
        return None
    answers = answer_cell(outcome.cell, settings)  # of a failed cell too: what is missing must show
    if selected and outcome.is_done:
        context.log_event(dg.AssetMaterialization("answers", partition=partition, metadata=_answers_metadata(answers)))
    failed = []
    tables = ("responses", "answers") if "responses" in selected else ("answers",)
    for check in (check for table in tables for check in check_cell(table, outcome.cell, settings)):
        context.log_event(check)
        if check.blocking and not check.passed:
            failed.append(f"check {check.check_name} failed: {check.description}")
    return "; ".join(failed) or None


def _within_budget(outcome: CellOutcome) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey("responses"),
        check_name=WITHIN_BUDGET,
        passed=outcome.held_back is None,
        description=outcome.held_back or "what was to be asked was asked",
        partition=partition_of(outcome.cell),
    )


def _served_as_one(cell: Cell, settings: Settings) -> dg.AssetCheckEvaluation:
    served = served_as(cell, settings)
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey("responses"),
        check_name=SERVED_AS_ONE,
        passed=served.height <= 1,
        severity=dg.AssetCheckSeverity.WARN,
        description="one model and build answered" if served.height <= 1 else "what the server says it is has changed between replies",
        metadata={"served": metadata.table(served, rows=served.height)},
        partition=partition_of(cell),
    )


def _answers_metadata(answers: pl.DataFrame) -> dict[str, Any]:
    statuses = answers.group_by("status").len("n").sort("n", descending=True)
    return {
        "dagster/partition_row_count": answers.height,
        "statuses": metadata.table(statuses, rows=statuses.height),
        "preview": metadata.table(answers.select("image_id", "raw_label", "label", "match", "status")),
    }
