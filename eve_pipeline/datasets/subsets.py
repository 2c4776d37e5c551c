"""Which images of a dataset models are asked about."""

import polars as pl

from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import write_table

HAS_TRUTH = pl.any_horizontal(pl.col("label", "votes", "valence", "arousal").is_not_null())


def full_subset(images: pl.DataFrame) -> pl.DataFrame:
    """Return all images that can be scored, those with a label, votes or ratings, in order of image_id."""
    return images.filter(HAS_TRUTH).sort("image_id")


def write_items(warehouse: Warehouse, subset: str, dataset: str, image_ids: pl.Series, seed: int | None) -> None:
    """Write table `benchmark_items` of one subset; `seed` is that of the draw, None where all images were taken."""
    items = (
        image_ids.sort()
        .to_frame("image_id")
        .with_columns(subset=pl.lit(subset), dataset=pl.lit(dataset), selection_seed=pl.lit(seed, pl.Int64))
    )
    write_table(items, "benchmark_items", warehouse.file("benchmark_items", subset))
