"""What happens without a hand: partitions follow the registries, stale cells are asked again, and results are published."""

import time
from collections.abc import Collection, Iterator
from typing import Final

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from eve_pipeline.orchestration.partitions import differences, ranges_of
from eve_pipeline.orchestration.reporting import report_collected
from eve_pipeline.orchestration.revisions import MODEL, TASK, look, news
from eve_pipeline.responses.cells import broken_entries
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse

LOOK_SECONDS: Final = 15
ASK_SERVICES_SECONDS: Final = 600
SETTLED_SECONDS: Final = 30  # of a checkpoint, which may be copied for minutes
COLLECT_SECONDS: Final = 300
PAUSE_SECONDS: Final = 300  # of an annotator, whose every answer is a change
AUTOMATED: Final = {"eve/automated": "true"}
RUNNING = dg.DefaultSensorStatus.RUNNING
UNFINISHED: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
ASKING_NOTHING: Final = {"prepare", "publish", "collect"}
READ_INTO_ANSWERS: Final = {"configs", "requests", "responses"}

_CHANGED = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.data_version_changed())
_ASKED_SINCE = dg.AutomationCondition.newly_requested() | dg.AutomationCondition.newly_updated()
RE_EVALUATE = (
    _CHANGED.allow(dg.AssetSelection.assets(MODEL, TASK)).since(_ASKED_SINCE)  # no initial_evaluation(): each new partition would be one
    & ~dg.AutomationCondition.missing()  # a cell is first asked by hand
    & ~dg.AutomationCondition.in_progress()
).with_label("its model or its task has changed since it was asked")

re_evaluation = dg.AutomationConditionSensorDefinition(
    "re_evaluation",
    target=dg.AssetSelection.groups("evaluation"),
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=RUNNING,
    run_tags=AUTOMATED,
    description="Ask a cell again when its model or its task has changed.",
)


@dg.sensor(minimum_interval_seconds=LOOK_SECONDS, default_status=RUNNING)
def registered_partitions(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.SensorResult:
    """Add a partition for each new model, prompt and dataset, and take away those that are gone; say which entries cannot be read."""
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    for dimension, new, gone in differences(context.instance, settings):
        if new:
            requests.append(dg.AddDynamicPartitionsRequest(dimension, new))
        if gone:
            requests.append(dg.DeleteDynamicPartitionsRequest(dimension, gone))
    problems = "; ".join(error.problem for error in broken_entries(settings))
    return dg.SensorResult(dynamic_partitions_requests=requests, skip_reason=problems or None)


@dg.sensor(minimum_interval_seconds=LOOK_SECONDS, default_status=RUNNING)
def local_revisions(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.SensorResult:
    """Observe what this machine knows: checkpoints in folders, stated revisions, prompts, and the images of subsets."""
    return _seen(("folders_known", "tasks_known"), context.instance, settings)


@dg.sensor(minimum_interval_seconds=ASK_SERVICES_SECONDS, default_status=RUNNING)
def remote_revisions(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.SensorResult:
    """Observe what hubs and endpoints serve."""
    return _seen(("services_known",), context.instance, settings)


def _seen(checks: Collection[str], instance: dg.DagsterInstance, settings: Settings) -> dg.SensorResult:
    """Record the revisions that have changed, where `re_evaluation` will not take them for older than what was asked before."""
    is_settled = not _is_asking(instance) and _has_looked_at_what_was_asked(instance)
    looked = [look(check, settings, settled_for_s=SETTLED_SECONDS) for check in checks]
    return dg.SensorResult(asset_events=[event for seen in looked for event in news(*seen, instance, with_changes=is_settled)])


def _is_asking(instance: dg.DagsterInstance) -> bool:
    return any(run.job_name not in ASKING_NOTHING for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)))


def _has_looked_at_what_was_asked(instance: dg.DagsterInstance) -> bool:
    asked = instance.get_latest_materialization_event(dg.AssetKey("responses"))
    states = [state for state in instance.all_instigator_state() if state.instigator_name == re_evaluation.name]
    ticks = [tick for state in states for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=2)]
    return any(tick.is_completed and (asked is None or tick.timestamp > asked.timestamp) for tick in ticks)


@dg.schedule(job_name="evaluate", cron_schedule="0 3 * * 1", default_status=dg.DefaultScheduleStatus.RUNNING)
def weekly_evaluation(
    context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask, of all cells that were asked before, what has no good reply: what failed, and what a sensor missed."""
    from eve_pipeline.responses.reevaluation import stale_cells

    stale = stale_cells(settings)
    for first, last in ranges_of(stale, context.instance):
        tags = AUTOMATED | {ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last}
        yield dg.RunRequest(run_key=first, tags=tags)  # Dagster refuses several requests without keys
    if not stale:
        yield dg.SkipReason("Every cell that was ever asked has its replies.")


@dg.sensor(job_name="publish", minimum_interval_seconds=LOOK_SECONDS, default_status=RUNNING)
def published_results(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.RunRequest | dg.SkipReason:
    """Publish when a table has changed since the last publication began, once no run is under way; a failed one is not repeated."""
    changed_at, published_at = _changed_at(Warehouse.of(settings)), Warehouse.of(settings).published_at
    if published_at and changed_at <= published_at.timestamp():
        return dg.SkipReason("The published database holds all that there is.")
    if not changed_at:
        return dg.SkipReason("Nothing is materialized yet.")
    if under_way := context.instance.get_runs_count(dg.RunsFilter(statuses=UNFINISHED)):
        return dg.SkipReason(f"{under_way} runs are under way.")
    return dg.RunRequest(run_key=str(changed_at))


def _changed_at(warehouse: Warehouse) -> float:
    """Return when what is published was written last, or went; somebody who is annotating counts once they have paused.

    Folders tell when a file went, and when answers were written: their own time is when reading them began.
    """
    written = {table: [file.stat().st_mtime for file in warehouse.files(table)] for table in contracts().keys() - READ_INTO_ANSWERS}
    folders = (folder for table in written.keys() - {"annotations"} for folder in warehouse.folder(table).glob("**/"))
    written["folders"] = [folder.stat().st_mtime for folder in folders]
    written["annotations"] = [at for at in written["annotations"] if time.time() - at > PAUSE_SECONDS]
    return max((at for times in written.values() for at in times), default=0.0)


@dg.op
def collect_ended_batches(context: dg.OpExecutionContext, settings: dg.ResourceParam[Settings]) -> None:
    """Put the answers of ended batches into the tables, and report the cells that are complete."""
    from eve_pipeline.responses.batches import collect

    states = list(collect(settings))
    for state in states:
        context.log.info("%s: batch %s is %s, %d of %d answered", state.cell, state.batch_id, state.state, state.n_done, state.n_requests)
        if state.problem:
            context.log.warning("%s: %s", state.cell, state.problem)
    done = report_collected({state.cell for state in states if state.is_ended}, settings)
    context.add_output_metadata({"complete cells": [str(cell) for cell in done]})
    if problems := [f"{state.cell}: {state.problem}" for state in states if state.problem and state.is_ended]:
        raise dg.Failure("; ".join(problems))


@dg.job(description="Fetch the answers of the Batch API's batches that have ended.")
def collect() -> None:
    """Collect what has ended."""
    collect_ended_batches()


@dg.sensor(job=collect, minimum_interval_seconds=COLLECT_SECONDS, default_status=RUNNING)
def collected_batches(settings: dg.ResourceParam[Settings]) -> dg.RunRequest | dg.SkipReason:
    """Collect batches as they end, so that nobody waits for them."""
    from eve_pipeline.responses.batches import has_ended_batches

    return dg.RunRequest() if has_ended_batches(settings) else dg.SkipReason("No open batch has ended.")
