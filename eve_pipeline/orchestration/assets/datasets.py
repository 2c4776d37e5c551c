"""From image files to the items that models are asked about; one partition a dataset."""

from collections.abc import Iterator

import dagster as dg

from eve_pipeline.datasets.catalogue import build_images
from eve_pipeline.datasets.contact_sheet import contact_sheet
from eve_pipeline.datasets.registry import dataset_entry
from eve_pipeline.hard_subset.items import build_items
from eve_pipeline.hard_subset.subset import score_dataset
from eve_pipeline.orchestration import metadata
from eve_pipeline.orchestration.partitions import DATASETS
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table


@dg.multi_asset(
    specs=[
        dg.AssetSpec("images", description="Usable images with their labels, votes and ratings.", kinds={"parquet"}),
        dg.AssetSpec("rejected_images", description="Files that could not be used, and why.", kinds={"parquet"}),
    ],
    name="read_images",
    group_name="datasets",
    partitions_def=DATASETS,
)
def read_images(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> Iterator[dg.MaterializeResult[None]]:
    """Read, verify and hash the dataset's images."""
    warehouse, entry = Warehouse.of(settings), dataset_entry(context.partition_key, settings)
    images, rejected, departures = build_images(entry, settings, warehouse)
    labels = images.group_by("label", "label_status").len("n").sort("label")
    yield dg.MaterializeResult(
        asset_key="images",
        metadata={
            "dagster/row_count": images.height,
            "labels": metadata.table(labels, rows=labels.height),
            "pictures": metadata.picture(contact_sheet(images, entry.root(settings)), f"some images of {entry.key}"),
            "preview": metadata.table(images.select("image_id", "label", "n_votes", "valence", "arousal", "width", "height")),
            "departures": "; ".join(departures) or "none",
        },
    )
    yield dg.MaterializeResult(
        asset_key="rejected_images",
        metadata={
            "dagster/row_count": rejected.height,
            "reasons": metadata.table(rejected.group_by("reason").len("n").sort("n", descending=True)),
            "preview": metadata.table(rejected),
        },
    )


@dg.asset(group_name="datasets", partitions_def=DATASETS, deps=["images"], kinds={"pytorch", "parquet"})
def classifier_scores(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[None]:
    """Out-of-fold probabilities of the true label by a ViT, where the dataset's entry asks for a hard subset."""
    warehouse, entry = Warehouse.of(settings), dataset_entry(context.partition_key, settings)
    if entry.hard_subset is None:
        return dg.MaterializeResult(metadata={"dagster/row_count": 0, "note": "The dataset's entry asks for no hard subset."})
    summary = score_dataset(entry, settings, warehouse)
    scores = read_table("classifier_scores", [warehouse.file("classifier_scores", entry.key)])
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": summary.n_scored,
            "mean p_true": summary.mean_p_true,
            "preview": metadata.table(scores),
        }
    )


@dg.asset(group_name="datasets", partitions_def=DATASETS, deps=["images", "classifier_scores"], kinds={"parquet"})
def benchmark_items(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[None]:
    """The images of each of the dataset's subsets."""
    items = build_items(dataset_entry(context.partition_key, settings), settings, Warehouse.of(settings))
    return dg.MaterializeResult(metadata={"dagster/row_count": sum(items.counts.values()), **items.counts, "notes": "; ".join(items.notes)})
