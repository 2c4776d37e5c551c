"""Sensors that keep Dagster true to the registries."""

import dagster as dg

from eve_pipeline.orchestration.partitions import DATASETS, MODELS, TASKS, registered_keys
from eve_pipeline.orchestration.reporting import report_collected
from eve_pipeline.settings import Settings


@dg.sensor(minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def registered_partitions(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.SensorResult:
    """Add a partition for each new model, prompt and dataset."""
    requests = []
    for definition, keys in zip((DATASETS, MODELS, TASKS), registered_keys(settings).values(), strict=True):
        known = context.instance.get_dynamic_partitions(str(definition.name))
        if new := [key for key in keys if key not in known]:
            requests.append(definition.build_add_request(new))
    return dg.SensorResult(dynamic_partitions_requests=requests)


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


@dg.sensor(job=collect, minimum_interval_seconds=300, default_status=dg.DefaultSensorStatus.RUNNING)
def collected_batches(settings: dg.ResourceParam[Settings]) -> dg.RunRequest | dg.SkipReason:
    """Collect batches as they end, so that nobody waits for them."""
    from eve_pipeline.responses.batches import has_ended_batches

    return dg.RunRequest() if has_ended_batches(settings) else dg.SkipReason("No open batch has ended.")
