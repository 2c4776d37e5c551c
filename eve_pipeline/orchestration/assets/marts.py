"""Publish: the dbt project as assets, built whole into a fresh eve.duckdb."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets

from eve_pipeline.orchestration import metadata
from eve_pipeline.responses.answering import answer_outdated_cells
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.manifest import dbt_manifest
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import Publication, publication
from eve_pipeline.warehouse.query import run_query

F1_BY_CELL = """
    select model, subset, prompt, n, coverage, weighted_f1, macro_f1, accuracy
    from marts.weighted_f1 where scoring = 'strict' order by subset, prompt, weighted_f1 desc
"""


class Translator(DagsterDbtTranslator):
    """Assets are named as their models and grouped by schema; a source is the asset that its `meta` names."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Return the model's name alone."""
        if dbt_resource_props["resource_type"] == "source":
            return super().get_asset_key(dbt_resource_props)
        return dg.AssetKey(dbt_resource_props["name"])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Return the schema: staging, intermediate, marts or seeds."""
        return str(dbt_resource_props["schema"])


def marts_assets(settings: Settings) -> dg.AssetsDefinition:
    """Return the assets of the dbt project; its tests are their checks."""

    @dbt_assets(manifest=dbt_manifest(Warehouse.of(settings), settings), dagster_dbt_translator=Translator(), name="dbt_models")
    def dbt_models(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> Iterator[Any]:
        """Build and test everything; a failed test publishes nothing and leaves the last good database in place."""
        warehouse = Warehouse.of(settings)
        answer_outdated_cells(settings)
        events: list[Any] = []
        try:
            with publication(warehouse, settings) as building:
                events.extend(_build(building, context))
        except Exception:
            yield from (event for event in events if isinstance(event, dg.AssetCheckResult))
            raise
        context.add_output_metadata({"F1 by cell": metadata.table(run_query(warehouse.database, F1_BY_CELL), rows=200)}, "weighted_f1")
        yield from events

    return dbt_models


def _build(building: Publication, context: dg.AssetExecutionContext) -> Iterator[Any]:
    with _environment(building.environment):
        beside_python = str(Path(sys.executable).with_name("dbt"))
        dbt = DbtCliResource(project_dir=str(building.project), profiles_dir=str(building.project), dbt_executable=beside_python)
        arguments = ["build", "--exclude-resource-type", "unit_test"]
        yield from dbt.cli(arguments, context=context, target_path=building.target).stream()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while: dagster-dbt hands this process's own to dbt and takes no others."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
