"""Materialize `benchmark_items`: a dataset's full subset and, where its entry asks for one, its hard subset."""

from typing import NamedTuple

import polars as pl

from eve_pipeline.datasets.catalogue import build_images
from eve_pipeline.datasets.registry import DatasetEntry
from eve_pipeline.datasets.subsets import full_subset, write_items
from eve_pipeline.hard_subset.subset import score_dataset, select_subset
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table


class Items(NamedTuple):
    """How many items each subset has, what to know of them, and the labels of the hard subset (`shares.balance`)."""

    counts: dict[str, int]
    notes: tuple[str, ...] = ()
    balance: pl.DataFrame | None = None


def build_items(entry: DatasetEntry, settings: Settings, warehouse: Warehouse) -> Items:
    """Write the items of each of the dataset's subsets.

    Raises:
        EveError: the images, or for a hard subset the classifier's scores, are not materialized.
    """
    images = full_subset(read_table("images", [warehouse.file("images", entry.key)]))
    write_items(warehouse, entry.key, entry.key, images["image_id"], None)
    if entry.hard_subset is None:
        return Items({entry.key: images.height})
    hard, (selection, balance) = f"{entry.key}-hard", select_subset(entry, settings, warehouse)
    write_items(warehouse, hard, entry.key, pl.Series("image_id", selection.image_ids), selection.seed)
    n_hard = len(selection.image_ids)
    short = (f"{hard}: {selection.n_wanted} wanted, but only {n_hard} images are hard; all of them are in",)
    return Items({entry.key: images.height, hard: n_hard}, short if selection.is_short else (), balance)


def prepare_dataset(entry: DatasetEntry, settings: Settings) -> Items:
    """Read a dataset anew and choose its subsets; the notes say what was rejected and why, and which counts were not expected."""
    warehouse = Warehouse.of(settings)
    images = build_images(entry, settings, warehouse)
    scores = score_dataset(entry, settings, warehouse).lines if entry.hard_subset else ()
    items = build_items(entry, settings, warehouse)
    return Items(items.counts, (*images.notes, *scores, *items.notes), items.balance)
