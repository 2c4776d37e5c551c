"""Tell Dagster what was done outside it, so that the UI shows it."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import dagster as dg

from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.orchestration.partitions import partition_of, sync_partitions
from eve_pipeline.orchestration.revisions import record
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.observing import Observed
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse


def report_dataset(key: str, settings: Settings) -> None:
    """Report a dataset that was prepared outside Dagster as materialized."""
    tables = ("images", "rejected_images", "classifier_scores", "benchmark_items")
    with _opened(settings) as instance:
        _report([dg.AssetMaterialization(table, partition=key) for table in tables], instance)


def report_cells(cells: Iterable[Cell], settings: Settings, observed: Collection[Observed]) -> None:
    """Report cells that were asked and read as materialized, and what was observed before they were asked."""
    tables, cells = ("configs", "requests", "responses", "answers"), list(cells)
    with _opened(settings) as instance:
        record(observed, instance)
        _report([dg.AssetMaterialization(table, partition=partition_of(cell)) for cell in cells for table in tables], instance)


def report_collected(cells: Iterable[Cell], settings: Settings) -> list[Cell]:
    """Read the replies of cells whose batches were collected; report, and return, those that wait for no other batch.

    What they were asked with was recorded when they were; what has changed since then is left to the sensors.
    """
    from eve_pipeline.responses.answering import answer_cell, is_planned
    from eve_pipeline.responses.batches import open_batches

    warehouse = Warehouse.of(settings)
    collected = [cell for cell in sorted(cells) if is_planned(cell, warehouse)]
    for cell in collected:
        answer_cell(cell, settings)
    waiting = {record.cell for record in open_batches(warehouse)}
    done = [cell for cell in collected if cell not in waiting]
    report_cells(done, settings, observed=())
    return done


@contextmanager
def _opened(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings) as instance:
        sync_partitions(instance, settings)
        yield instance


def _report(materializations: Iterable[dg.AssetMaterialization], instance: dg.DagsterInstance) -> None:
    for materialization in materializations:
        instance.report_runless_asset_event(materialization)
