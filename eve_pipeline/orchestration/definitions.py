"""Everything that Dagster knows of, bound to the settings of one EVE_HOME."""

import dagster as dg

from eve_pipeline.orchestration import checks, demo, jobs
from eve_pipeline.orchestration.assets import datasets, evaluation
from eve_pipeline.orchestration.assets.marts import marts_assets
from eve_pipeline.orchestration.assets.report import report
from eve_pipeline.orchestration.automation import collect, collected_batches, registered_partitions
from eve_pipeline.settings import Settings


def build_definitions(settings: Settings) -> dg.Definitions:
    """Return the definitions of assets, checks, jobs and sensors."""
    return dg.Definitions(
        assets=[
            datasets.read_images,
            datasets.classifier_scores,
            datasets.benchmark_items,
            evaluation.evaluation,
            marts_assets(settings),
            report,
        ],
        asset_checks=[checks.images_checks],
        jobs=[jobs.prepare, jobs.evaluate, jobs.publish, collect, demo.demo],
        sensors=[registered_partitions, collected_batches],
        resources={"settings": settings},
        executor=dg.in_process_executor,
    )
