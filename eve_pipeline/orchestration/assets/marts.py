"""Publish: the dbt project as assets, built whole into a fresh eve.duckdb."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation, DbtCliResource, dbt_assets

from eve_pipeline.orchestration import metadata
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import Publication, publication, write_manifest
from eve_pipeline.warehouse.query import run_query

F1_BY_CELL = """
    select model, subset, prompt, n, coverage, weighted_f1, macro_f1, accuracy
    from marts.weighted_f1 where scoring = 'strict' order by subset, prompt, weighted_f1 desc
"""


class Translator(DagsterDbtTranslator):
    """Names assets and groups by the models' schemas."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Return the schema: staging, intermediate, marts or seeds."""
        return str(dbt_resource_props["schema"])

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Return the model's name; a source keeps the asset that its `meta` names."""
        if dbt_resource_props["resource_type"] == "source":
            return super().get_asset_key(dbt_resource_props)
        return dg.AssetKey(dbt_resource_props["name"])
