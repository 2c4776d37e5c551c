"""The two steps from tables to tables: score a dataset's images, select its hard subset."""

from typing import NamedTuple

import polars as pl
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from eve_pipeline.datasets.registry import DatasetEntry, HardSubset
from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.classifiers import classifier
from eve_pipeline.hard_subset.folds import pictures_by_label
from eve_pipeline.hard_subset.scoring import out_of_fold_scores
from eve_pipeline.hard_subset.selection import Selection, draw, hard_images
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table, write_table


class ScoresSummary(NamedTuple):
    """What was scored: images, out-of-fold accuracy and mean p_true in [0, 1], hard images; notes say what to know of it."""

    classifier: str
    n_scored: int
    n_folds: int
    accuracy: float
    mean_p_true: float
    n_hard: int
    notes: tuple[str, ...]


def score_dataset(entry: DatasetEntry, settings: Settings, warehouse: Warehouse) -> ScoresSummary:
    """Write `classifier_scores` of a dataset that has a hard subset; shows a progress bar where standard error is a terminal.

    Raises:
        EveError: the entry has no hard subset, its images are not materialized or too few, or the classifier cannot be had.
    """
    wanted, images = _hard_subset(entry), _images(entry, warehouse)
    chosen = classifier(wanted.classifier, settings)
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        scores = out_of_fold_scores(images, entry.root(settings), chosen, settings, progress)
    write_table(scores, "classifier_scores", warehouse.file("classifier_scores", entry.key))
    counts = pictures_by_label(images.filter(pl.col("label").is_not_null()))
    rare = (f"{label}: {n} pictures for {chosen.folds} folds" for label, n in counts.items() if n < chosen.folds)
    return _summarise(scores.join(images, on="image_id"), hard_images(scores, wanted.threshold).height, tuple(rare))


def select_subset(entry: DatasetEntry, settings: Settings, warehouse: Warehouse) -> Selection:
    """Draw a dataset's hard subset from its `images` and `classifier_scores`.

    Raises:
        EveError: the entry has no hard subset, no image is hard, or the scores are absent, of another classifier or of other images.
    """
    wanted, images = _hard_subset(entry), _images(entry, warehouse)
    scores = read_table("classifier_scores", [warehouse.file("classifier_scores", entry.key)])
    chosen = classifier(wanted.classifier, settings)
    if set(scores["classifier"]) != {chosen.identity}:
        raise _stale(entry, f"there are none by {chosen.identity!r}")
    labelled = images.filter(pl.col("label").is_not_null()).select("image_id", "label")
    if gone := sorted(set(scores["image_id"]) - set(labelled["image_id"])):
        raise _stale(entry, f"{len(gone)} of them are of images without a label or gone, first {gone[0]}")
    if chosen.split == "k_fold" and scores.height < labelled.height:
        raise _stale(entry, f"{labelled.height - scores.height} images have none")
    hard = hard_images(scores, wanted.threshold).join(labelled, on="image_id")
    if hard.is_empty():
        raise EveError(f"No image of {entry.key!r} has a p_true below {wanted.threshold}", "Raise hard_subset.threshold of its entry.")
    return draw(hard, wanted.n, wanted.allocation, wanted.seed)


def _hard_subset(entry: DatasetEntry) -> HardSubset:
    if entry.hard_subset is None:
        raise EveError(f"Dataset {entry.key!r} has no hard subset", "Add hard_subset: {classifier: ..., n: ...} to its entry.")
    return entry.hard_subset


def _images(entry: DatasetEntry, warehouse: Warehouse) -> pl.DataFrame:
    images = read_table("images", [warehouse.file("images", entry.key)])
    if images.is_empty():
        raise EveError(f"Dataset {entry.key!r} has no images in the warehouse", "Materialize its images first.")
    return images


def _stale(entry: DatasetEntry, problem: str) -> EveError:
    return EveError(f"The classifier scores of {entry.key!r} do not fit: {problem}", "Materialize classifier_scores of the dataset.")


def _summarise(scored: pl.DataFrame, n_hard: int, notes: tuple[str, ...]) -> ScoresSummary:
    name, folds, accuracy, mean_p_true = scored.select(
        pl.col("classifier").first(),
        pl.col("fold").n_unique(),
        (pl.col("predicted") == pl.col("label")).mean().alias("accuracy"),
        pl.col("p_true").mean(),
    ).row(0)
    return ScoresSummary(name, scored.height, folds, accuracy, mean_p_true, n_hard, notes)
