"""Everything that Dagster knows of, bound to the settings of one EVE_HOME."""

import dagster as dg

from eve_pipeline.orchestration import alerts, automation, checks, demo, jobs, revisions
from eve_pipeline.orchestration.assets import datasets, evaluation
from eve_pipeline.orchestration.assets.marts import marts_assets
from eve_pipeline.orchestration.assets.report import report
from eve_pipeline.orchestration.hosts import in_process_executor
from eve_pipeline.settings import Settings


def build_definitions(settings: Settings) -> dg.Definitions:
    """Return the definitions of assets, checks, jobs and sensors."""
    return dg.Definitions(
        assets=[
            revisions.model_revision,
            revisions.task_revision,
            datasets.read_images,
            datasets.classifier_scores,
            datasets.benchmark_items,
            evaluation.evaluation,
            marts_assets(settings),
            report,
        ],
        asset_checks=[checks.images_checks, checks.items_checks, revisions.revisions_known],
        jobs=[jobs.prepare, jobs.evaluate, jobs.publish, automation.collect, demo.demo],
        schedules=[automation.weekly_evaluation],
        sensors=[
            automation.registered_partitions,
            automation.local_revisions,
            automation.remote_revisions,
            automation.re_evaluation,
            automation.published_results,
            automation.collected_batches,
            alerts.alerts,
        ],
        resources={"settings": settings},
        executor=in_process_executor,
    )
