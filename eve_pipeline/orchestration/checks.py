"""The Great Expectations suites as asset checks, one check an expectation and a partition."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import polars as pl

from eve_pipeline.datasets.catalogue import images_of_others
from eve_pipeline.datasets.registry import dataset_entry
from eve_pipeline.emotions.label_sets import resolve_labels
from eve_pipeline.orchestration.partitions import DATASETS, GRID, partition_of
from eve_pipeline.quality.checking import CheckResult, Severity, run_suite
from eve_pipeline.quality.suites.answers import ANSWER_CHECKS, answers_suite
from eve_pipeline.quality.suites.images import ELSEWHERE, IMAGE_CHECKS, check_elsewhere, images_suite
from eve_pipeline.responses.cells import Cell, subset_datasets
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table


def check_specs(checks: Mapping[str, Severity], table: str, partitions: dg.PartitionsDefinition[str]) -> list[dg.AssetCheckSpec]:
    """Return the specs of a suite; checks of error severity block what comes after."""
    return [
        dg.AssetCheckSpec(name, asset=table, blocking=severity == "error", partitions_def=partitions) for name, severity in checks.items()
    ]


@dg.multi_asset_check(name="images_suite", specs=check_specs(IMAGE_CHECKS | {ELSEWHERE: "warning"}, "images", DATASETS))
def images_checks(context: dg.AssetCheckExecutionContext, settings: dg.ResourceParam[Settings]) -> Iterator[dg.AssetCheckResult]:
    """Check a dataset's images."""
    warehouse, entry = Warehouse.of(settings), dataset_entry(context.partition_key, settings)
    images = read_table("images", [warehouse.file("images", entry.key)])
    suite = images_suite(resolve_labels(entry.labels, settings), is_labelled=images["label"].is_not_null().any())
    for result in (*run_suite(images, suite), check_elsewhere(images, images_of_others(entry.key, warehouse))):
        yield dg.AssetCheckResult(
            asset_key="images",
            check_name=result.name,
            passed=result.passed,
            severity=_severity(result),
            description=result.message,
            metadata=_metadata(result),
        )


ANSWER_CHECK_SPECS = check_specs(ANSWER_CHECKS, "answers", GRID)


def check_answers(cell: Cell, answers: pl.DataFrame, settings: Settings) -> list[dg.AssetCheckEvaluation]:
    """Check one cell's current answers."""
    labels = resolve_labels(subset_datasets(settings)[cell.subset].labels, settings)
    current = answers.filter("is_current")
    return [
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey("answers"),
            check_name=result.name,
            passed=result.passed,
            severity=_severity(result),
            description=result.message,
            metadata=_metadata(result),
            blocking=result.severity == "error",
            partition=partition_of(cell),
        )
        for result in run_suite(current, answers_suite(labels, current.height))
    ]


def _severity(result: CheckResult) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if result.severity == "error" else dg.AssetCheckSeverity.WARN


def _metadata(result: CheckResult) -> dict[str, Any]:
    unexpected: dict[str, Any] = {} if result.n_unexpected is None else {"unexpected": result.n_unexpected}
    examples: dict[str, Any] = {"examples": dg.MetadataValue.json(list(result.examples))} if result.examples else {}
    return {"checked": result.n_checked} | unexpected | examples
