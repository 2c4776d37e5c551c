"""The Great Expectations suites as asset checks, one check an expectation and a partition."""

from collections.abc import Iterator
from typing import Any, Final

import dagster as dg

from eve_pipeline.orchestration.partitions import DATASETS, GRID, partition_of
from eve_pipeline.quality.checking import CheckResult, Rule, Rules
from eve_pipeline.quality.page import write_page
from eve_pipeline.quality.suites.images import EXPECTED
from eve_pipeline.quality.tables import RULES, check
from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse

MADE_WHILE_READING: Final = {EXPECTED}
"""Checks that `read_images` makes itself: it knows the labels of rejected files too."""


def described(rule: Rule) -> str:
    """Return what the UI says of a check."""
    return f"Expects: {rule.expects}. If not: {rule.to_do}"


def check_specs(table: str, partitions: dg.PartitionsDefinition[str]) -> list[dg.AssetCheckSpec]:
    """Return the specs of a table's checks; those of error severity block what comes after."""
    rules: Rules = RULES[table]
    return [
        dg.AssetCheckSpec(
            name,
            asset=table,
            description=described(rule),
            blocking=rule.severity == "error",
            partitions_def=partitions,
        )
        for name, rule in rules.items()
        if name not in MADE_WHILE_READING
    ]


@dg.multi_asset_check(name="images_suite", specs=check_specs("images", DATASETS))
def images_checks(context: dg.AssetCheckExecutionContext, settings: dg.ResourceParam[Settings]) -> Iterator[dg.AssetCheckResult]:
    """Check a dataset's images."""
    yield from _check_dataset("images", context.partition_key, settings)


@dg.multi_asset_check(name="benchmark_items_suite", specs=check_specs("benchmark_items", DATASETS))
def items_checks(context: dg.AssetCheckExecutionContext, settings: dg.ResourceParam[Settings]) -> Iterator[dg.AssetCheckResult]:
    """Check the items of a dataset's subsets."""
    yield from _check_dataset("benchmark_items", context.partition_key, settings)


def _check_dataset(table: str, dataset: str, settings: Settings) -> Iterator[dg.AssetCheckResult]:
    record = check(table, (dataset,), settings)
    write_page(Warehouse.of(settings))
    for result in record.results:
        if result.name not in MADE_WHILE_READING:
            yield dg.AssetCheckResult(
                asset_key=table,
                check_name=result.name,
                passed=result.passed,
                severity=_severity(result),
                description=_found(result),
                metadata=_metadata(result, settings),
            )


CELL_CHECK_SPECS = [*check_specs("responses", GRID), *check_specs("answers", GRID)]


def check_cell(table: str, cell: Cell, settings: Settings) -> list[dg.AssetCheckEvaluation]:
    """Check one cell's current responses or answers."""
    return [
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(table),
            check_name=result.name,
            passed=result.passed,
            severity=_severity(result),
            description=_found(result),
            metadata=_metadata(result, settings),
            blocking=result.severity == "error",
            partition=partition_of(cell),
        )
        for result in check(table, (cell.model, cell.task), settings).results
    ]


def _found(result: CheckResult) -> str:
    return result.message if result.passed else ": ".join((result.message, *result.examples[:1]))


def _severity(result: CheckResult) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if result.severity == "error" else dg.AssetCheckSeverity.WARN


def _metadata(result: CheckResult, settings: Settings) -> dict[str, Any]:
    unexpected: dict[str, Any] = {} if result.n_unexpected is None else {"unexpected": result.n_unexpected}
    examples: dict[str, Any] = {"examples": dg.MetadataValue.json(list(result.examples))} if result.examples else {}
    page = dg.MetadataValue.url(f"{settings.pages_url}/index.html")
    return {"checked": result.n_checked} | unexpected | examples | {"all checks": page}
