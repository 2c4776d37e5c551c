"""The two steps from tables to tables: score a dataset's images, select its hard subset."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import polars as pl
from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from eve_pipeline.datasets.registry import DatasetEntry, HardSubset
from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.calibration import N_BINS, Calibration, calibrate, sure_and_right
from eve_pipeline.hard_subset.classifiers import Classifier, classifier
from eve_pipeline.hard_subset.folds import pictures_by_label
from eve_pipeline.hard_subset.scoring import out_of_fold_scores
from eve_pipeline.hard_subset.selection import Selection, draw, hard_images
from eve_pipeline.hard_subset.shares import balance
from eve_pipeline.hard_subset.weights import Weights, identity, scorable, starting_weights
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table, write_table


class ScoresSummary(NamedTuple):
    """What was scored: images, out-of-fold accuracy and mean p_true in [0, 1], hard images; notes say what to know of it.

    `scored` is the table's rows joined to their images' label; `curves` are those of `scoring.OutOfFold`.
    """

    classifier: str
    n_scored: int
    n_folds: int
    accuracy: float
    mean_p_true: float
    threshold: float
    n_hard: int
    calibration: Calibration
    notes: tuple[str, ...]
    scored: pl.DataFrame
    curves: pl.DataFrame

    @property
    def lines(self) -> tuple[str, ...]:
        """The summary in words."""
        n, threshold, (n_sure, right) = self.n_scored, self.threshold, sure_and_right(self.scored, self.threshold)
        accuracy = f"accuracy {self.accuracy:.3f}, mean p_true {self.mean_p_true:.3f}"
        sure = f"; of the {n_sure:,} predicted with {threshold} or more, {right:.1%} are right" if n_sure else ""
        ece, brier, nll = self.calibration
        return (
            f"{self.classifier}: {n:,} images scored in {self.n_folds} fold{'s' if self.n_folds > 1 else ''}, {accuracy}",
            f"hard (p_true < {threshold}): {self.n_hard:,} of {n:,} images{sure}",
            f"calibration: ECE {ece:.3f} ({N_BINS} bins), Brier score {brier:.3f}, negative log likelihood {nll:.3f}",
            *self.notes,
        )


class HardSelection(NamedTuple):
    """The drawn images, and how many of each label are there, scored, hard and drawn (`shares.balance`)."""

    selection: Selection
    balance: pl.DataFrame


def score_dataset(entry: DatasetEntry, settings: Settings, warehouse: Warehouse) -> ScoresSummary:
    """Write `classifier_scores` of a dataset that has a hard subset; shows a progress bar where standard error is a terminal.

    A call that follows a killed one goes on after the last epoch that it finished; where nothing has changed, nothing is trained again.

    Raises:
        EveError: the entry has no hard subset, its images are not materialized or too few, the classifier or the weights that it
            starts from cannot be had, or another process is scoring the dataset.
    """
    wanted, images = _hard_subset(entry), _images(entry, warehouse)
    chosen = classifier(wanted.classifier, settings)
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with (
        _alone(entry, warehouse),
        Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress,
    ):
        scores, curves = out_of_fold_scores(images, entry.root(settings), chosen, settings, progress)
        write_table(scores, "classifier_scores", warehouse.file("classifier_scores", entry.key))
    notes = _notes(images, scores.height, chosen, starting_weights(chosen, settings))
    return _summarise(scores.join(images.select("image_id", "label"), on="image_id"), curves, wanted.threshold, notes)


def select_subset(entry: DatasetEntry, settings: Settings, warehouse: Warehouse) -> HardSelection:
    """Draw a dataset's hard subset from its `images` and `classifier_scores`.

    Raises:
        EveError: the entry has no hard subset, no image is hard, or the scores are absent, of another classifier or of other images.
    """
    wanted, images = _hard_subset(entry), _images(entry, warehouse)
    scores = read_table("classifier_scores", [warehouse.file("classifier_scores", entry.key)])
    chosen = classifier(wanted.classifier, settings)
    start = starting_weights(chosen, settings)
    if set(scores["classifier"]) != {identity(chosen, start)}:
        raise _stale(entry, f"there are none by {identity(chosen, start)!r}")
    labelled = scorable(images, start).select("image_id", "label")
    if gone := sorted(set(scores["image_id"]) - set(labelled["image_id"])):
        raise _stale(entry, f"{len(gone)} of them are of images without a label or gone, first {gone[0]}")
    if chosen.split == "k_fold" and scores.height < labelled.height:
        raise _stale(entry, f"{labelled.height - scores.height} images have none")
    hard = hard_images(scores, wanted.threshold).join(labelled, on="image_id")
    if hard.is_empty():
        raise EveError(f"No image of {entry.key!r} has a p_true below {wanted.threshold}", "Raise hard_subset.threshold of its entry.")
    selection = draw(hard, wanted.n, wanted.allocation, wanted.seed)
    n_labelled, n_scored = (
        dict(rows.group_by("label").len().sort("label").iter_rows())
        for rows in (images.drop_nulls("label"), labelled.join(scores, on="image_id", how="semi"))
    )
    return HardSelection(selection, balance(n_labelled, n_scored, selection))


@contextmanager
def _alone(entry: DatasetEntry, warehouse: Warehouse) -> Iterator[None]:
    lock = FileLock(warehouse.lock("classifier_scores", entry.key), timeout=0)
    try:
        lock.acquire()
    except Timeout as timeout:
        raise EveError(f"Another process is scoring dataset {entry.key!r}", "Wait for it to end, or stop it; nothing is lost.") from timeout
    try:
        yield
    finally:
        lock.release()


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


def _notes(images: pl.DataFrame, n_scored: int, chosen: Classifier, start: Weights | None) -> tuple[str, ...]:
    """Say what is particular about the scores: labels with few pictures, images that have none."""
    labelled = scorable(images, start)
    counts = pictures_by_label(labelled)
    notes = [f"{label}: {n} pictures for {chosen.folds} folds" for label, n in counts.items() if n < chosen.folds]
    if start:
        n_seen = images["label"].count() - labelled.height
        notes.append(f"starts from the weights that {start.learnt.classifier} learnt on {start.learnt.dataset}")
        notes.append(f"{n_seen:,} images have no score: the starting weights learnt from them, or those that these started from")
    if chosen.split == "single_80_20":
        notes.append(f"{labelled.height - n_scored:,} images have no score: the one classifier trained on them, and on nothing else")
    return tuple(notes)


def _summarise(scored: pl.DataFrame, curves: pl.DataFrame, threshold: float, notes: tuple[str, ...]) -> ScoresSummary:
    name, folds, accuracy, mean_p_true = scored.select(
        pl.col("classifier").first(),
        pl.col("fold").n_unique(),
        (pl.col("predicted") == pl.col("label")).mean().alias("accuracy"),
        pl.col("p_true").mean(),
    ).row(0)
    return ScoresSummary(
        classifier=name,
        n_scored=scored.height,
        n_folds=folds,
        accuracy=accuracy,
        mean_p_true=mean_p_true,
        threshold=threshold,
        n_hard=hard_images(scored, threshold).height,
        calibration=calibrate(scored),
        notes=notes,
        scored=scored,
        curves=curves,
    )
