"""Materialize `benchmark_items`: a dataset's full subset and, where its entry asks for one, its hard subset."""

import polars as pl

from eve_pipeline.datasets.catalogue import build_images
from eve_pipeline.datasets.registry import DatasetEntry
from eve_pipeline.datasets.subsets import full_subset, write_items
from eve_pipeline.hard_subset.subset import score_dataset, select_subset
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table


def build_items(entry: DatasetEntry, warehouse: Warehouse) -> dict[str, int]:
    """Write the items of each of the dataset's subsets and return how many each has.

    Raises:
        EveError: the images, or for a hard subset the classifier's scores, are not materialized.
    """
    images = read_table("images", [warehouse.file("images", entry.key)])
    write_items(warehouse, entry.key, entry.key, full_subset(images)["image_id"], None)
    if entry.hard_subset:
        selection = select_subset(entry, warehouse)
        write_items(warehouse, f"{entry.key}-hard", entry.key, pl.Series("image_id", selection.image_ids), selection.seed)
    return {subset: read_table("benchmark_items", [warehouse.file("benchmark_items", subset)]).height for subset in entry.subsets}


def prepare_dataset(entry: DatasetEntry, settings: Settings) -> dict[str, int]:
    """Read a dataset anew and choose its subsets; return how many items each has."""
    warehouse = Warehouse.of(settings)
    build_images(entry, settings, warehouse)
    if entry.hard_subset:
        score_dataset(entry, settings, warehouse)
    return build_items(entry, warehouse)
