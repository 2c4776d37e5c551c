"""Run jobs in this process, with everything recorded in the instance as if the UI had launched them."""

import os
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from eve_pipeline.errors import EveError
from eve_pipeline.orchestration.failures import cause_of, is_failed
from eve_pipeline.orchestration.hosts import host_tags
from eve_pipeline.orchestration.partitions import ranges_of, sync_partitions
from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Launcher:
    """Runs the definitions' jobs one after the other."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance, settings: Settings) -> None:
        self.definitions = definitions
        self.instance = instance
        sync_partitions(instance, settings)

    def prepare(self, dataset: str) -> None:
        """Materialize a dataset's images and subsets."""
        self._run("prepare", partition_key=dataset)

    def evaluate(self, cells: Iterable[Cell]) -> None:
        """Ask the cells, one run for each range of them."""
        for first, last in ranges_of(cells, self.instance):
            self._run("evaluate", tags={ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last})

    def publish(self) -> None:
        """Publish eve.duckdb."""
        self._run("publish")

    def _run(self, job: str, *, partition_key: str | None = None, tags: dict[str, str] | None = None) -> None:
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):  # dbt's log is in EVE_HOME/dbt/logs too
            result = self.definitions.resolve_job_def(job).execute_in_process(
                instance=self.instance, partition_key=partition_key, tags=host_tags() | (tags or {}), run_config=QUIET, raise_on_error=False
            )
        failed_checks = [check for check in result.get_asset_check_evaluations() if is_failed(check)]
        if not result.success or failed_checks:
            raise EveError(_explain(job, result, failed_checks), f"See run {result.run_id} in the Dagster UI (eve ui).")


def _explain(job: str, result: dg.ExecuteInProcessResult, failed_checks: Sequence[dg.AssetCheckEvaluation]) -> str:
    checks = [f"check {check.check_name} of {check.asset_key.to_user_string()} failed: {check.description}" for check in failed_checks]
    steps = []
    for event in result.filter_events(lambda event: event.is_step_failure):
        cause = cause_of(event)
        steps.append(f"{event.step_key}: {cause.message.strip() if cause else 'no reason given'}")
    return f"Job {job!r} failed: {'; '.join(checks + steps)}"
