"""What happens without a hand: partitions follow the registries, stale cells are asked again, and results are published."""

from collections.abc import Iterator
from typing import Final

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from eve_pipeline.orchestration.partitions import ranges_of, registered_keys
from eve_pipeline.orchestration.reporting import report_collected
from eve_pipeline.orchestration.revisions import look, news
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse

LOOK_SECONDS: Final = 15
ASK_SERVICES_SECONDS: Final = 600
COLLECT_SECONDS: Final = 300
AUTOMATED: Final = {"eve/automated": "true"}
RUNNING = dg.DefaultSensorStatus.RUNNING
UNFINISHED: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
PUBLISHED_TABLES: Final = ("images", "benchmark_items", "classifier_scores", "answers")

_CHANGED = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.data_version_changed())
_ASKED_SINCE = dg.AutomationCondition.newly_requested() | dg.AutomationCondition.newly_updated()
RE_EVALUATE = (
    _CHANGED.allow(dg.AssetSelection.groups("revisions")).since(_ASKED_SINCE | dg.AutomationCondition.initial_evaluation())
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
    """Add a partition for each new model, prompt and dataset, and take away those that are gone."""
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    for dimension, keys in registered_keys(settings).items():
        known = context.instance.get_dynamic_partitions(dimension)
        if new := [key for key in keys if key not in known]:
            requests.append(dg.AddDynamicPartitionsRequest(dimension, new))
        if gone := [key for key in known if key not in keys]:
            requests.append(dg.DeleteDynamicPartitionsRequest(dimension, gone))
    return dg.SensorResult(dynamic_partitions_requests=requests)


@dg.sensor(minimum_interval_seconds=LOOK_SECONDS, default_status=RUNNING)
def local_revisions(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.SensorResult:
    """Observe what is on this machine: checkpoints in folders, prompts, and the images of subsets."""
    looks = (look("folders_known", settings), look("tasks_known", settings))
    return dg.SensorResult(asset_events=[event for check, observed in looks for event in news(check, observed, context.instance)])


@dg.sensor(minimum_interval_seconds=ASK_SERVICES_SECONDS, default_status=RUNNING)
def remote_revisions(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.SensorResult:
    """Observe what hubs and endpoints serve."""
    return dg.SensorResult(asset_events=news(*look("services_known", settings), context.instance))


@dg.schedule(job_name="evaluate", cron_schedule="0 3 * * 1", tags=AUTOMATED, default_status=dg.DefaultScheduleStatus.RUNNING)
def weekly_evaluation(
    context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask, of all cells that were asked before, what has no good reply: what failed, and what a sensor missed."""
    from eve_pipeline.responses.reevaluation import stale_cells

    stale = stale_cells(settings)
    for first, last in ranges_of(stale, context.instance):
        yield dg.RunRequest(tags={ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last})
    if not stale:
        yield dg.SkipReason("Every cell that was ever asked has its replies.")


@dg.sensor(job_name="publish", minimum_interval_seconds=LOOK_SECONDS, default_status=RUNNING)
def published_results(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.RunRequest | dg.SkipReason:
    """Publish when a table has changed since the last publication began, once no run is under way; a failed one is not repeated."""
    events = (context.instance.get_latest_materialization_event(dg.AssetKey(table)) for table in PUBLISHED_TABLES)
    changed_at = max((event.timestamp for event in events if event), default=0.0)
    published_at = Warehouse.of(settings).published_at
    if published_at and changed_at <= published_at.timestamp():
        return dg.SkipReason("The published database holds all that there is.")
    if not changed_at:
        return dg.SkipReason("Nothing is materialized yet.")
    if under_way := context.instance.get_runs_count(dg.RunsFilter(statuses=UNFINISHED)):
        return dg.SkipReason(f"{under_way} runs are under way.")
    return dg.RunRequest(run_key=str(changed_at))


@dg.op
def collect_ended_batches(context: dg.OpExecutionContext, settings: dg.ResourceParam[Settings]) -> None:
    """Put the answers of ended batches into the tables, and report the cells that are complete."""
    from eve_pipeline.responses.batches import collect

    states = list(collect(settings))
    for state in states:
        context.log.info("%s: batch %s is %s, %d of %d answered", state.cell, state.batch_id, state.state, state.n_done, state.n_requests)
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
