"""From image files to the items that models are asked about; one partition a dataset."""

from collections.abc import Iterator

import dagster as dg

from eve_pipeline.datasets.catalogue import build_images
from eve_pipeline.datasets.contact_sheet import contact_sheet
from eve_pipeline.datasets.registry import dataset_entry
from eve_pipeline.hard_subset.calibration import reliability
from eve_pipeline.hard_subset.charts import reliability_diagram, threshold_chart, training_curves
from eve_pipeline.hard_subset.items import build_items
from eve_pipeline.hard_subset.shares import ALL, THRESHOLDS, sweep_thresholds
from eve_pipeline.hard_subset.subset import score_dataset
from eve_pipeline.orchestration import metadata
from eve_pipeline.orchestration.partitions import DATASETS
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse


@dg.multi_asset(
    specs=[
        dg.AssetSpec("images", description="Usable images with their labels, votes and ratings.", kinds={"parquet"}),
        dg.AssetSpec("rejected_images", description="Files that could not be used, and why.", kinds={"parquet"}),
    ],
    name="read_images",
    group_name="datasets",
    partitions_def=DATASETS,
    check_specs=[dg.AssetCheckSpec("expected_counts", asset="images", partitions_def=DATASETS)],
)
def read_images(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> Iterator[dg.MaterializeResult[None]]:
    """Read, verify and hash the dataset's images; those that have not changed since an earlier run are not read again."""
    warehouse, entry = Warehouse.of(settings), dataset_entry(context.partition_key, settings)
    summary = build_images(entry, settings, warehouse)
    images, rejected = summary.images, summary.rejected
    labels = images.group_by("label", "label_status").len("n").sort("label")
    yield dg.MaterializeResult(
        asset_key="images",
        metadata={
            "dagster/row_count": images.height,
            "labels": metadata.table(labels, rows=labels.height),
            "pictures": metadata.picture(contact_sheet(images, entry.root(settings)), f"some images of {entry.key}"),
            "preview": metadata.table(images.select("image_id", "label", "n_votes", "valence", "arousal", "width", "height")),
            "notes": "; ".join(summary.notes) or "none",
        },
        check_results=[_expected_counts(summary.departures)],
    )
    yield dg.MaterializeResult(
        asset_key="rejected_images",
        metadata={
            "dagster/row_count": rejected.height,
            "reasons": metadata.table(rejected.group_by("reason").len("n").sort("n", descending=True)),
            "preview": metadata.table(rejected),
        },
    )


def _expected_counts(departures: tuple[str, ...]) -> dg.AssetCheckResult:
    """Compare with the counts that a public dataset's entry states; a dataset without them passes."""
    return dg.AssetCheckResult(
        check_name="expected_counts",
        passed=not departures,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(departures) or "all as the dataset's entry expects, or nothing expected",
    )


@dg.asset(group_name="datasets", partitions_def=DATASETS, deps=["images"], kinds={"pytorch", "parquet"})
def classifier_scores(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[None]:
    """Out-of-fold probabilities of the true label by a ViT, where the dataset's entry asks for a hard subset."""
    warehouse, entry = Warehouse.of(settings), dataset_entry(context.partition_key, settings)
    if entry.hard_subset is None:
        return dg.MaterializeResult(metadata={"dagster/row_count": 0, "note": "The dataset's entry asks for no hard subset."})
    summary = score_dataset(entry, settings, warehouse)
    thresholds = sorted({*THRESHOLDS, summary.threshold})
    sweep, bins = sweep_thresholds(summary.scored, thresholds), reliability(summary.scored)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": summary.n_scored,
            "summary": "; ".join(summary.lines),
            "accuracy": summary.accuracy,
            "mean p_true": summary.mean_p_true,
            "hard images": summary.n_hard,
            "expected calibration error": summary.calibration.ece,
            "Brier score": summary.calibration.brier,
            "negative log likelihood": summary.calibration.nll,
            "training": metadata.picture(training_curves(summary.curves), "loss and accuracy by epoch"),
            "reliability": metadata.picture(reliability_diagram(bins, summary.calibration), "accuracy by probability"),
            "thresholds": metadata.picture(threshold_chart(sweep, summary.threshold), "share of hard images by threshold and label"),
            "thresholds, all images": metadata.table(sweep.filter(label=ALL), rows=len(thresholds)),
            "preview": metadata.table(summary.scored.drop("probabilities")),
        }
    )


@dg.asset(group_name="datasets", partitions_def=DATASETS, deps=["images", "classifier_scores"], kinds={"parquet"})
def benchmark_items(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[None]:
    """The images of each of the dataset's subsets."""
    items = build_items(dataset_entry(context.partition_key, settings), settings, Warehouse.of(settings))
    balance = {} if items.balance is None else {"labels of the hard subset": metadata.table(items.balance, rows=items.balance.height)}
    notes = "; ".join(items.notes) or "none"
    return dg.MaterializeResult(metadata={"dagster/row_count": sum(items.counts.values()), **items.counts, **balance, "notes": notes})
