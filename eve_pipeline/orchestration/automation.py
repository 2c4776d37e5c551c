"""Sensors that keep Dagster true to the registries."""

import dagster as dg

from eve_pipeline.orchestration.partitions import DATASETS, MODELS, TASKS, registered_keys
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
