"""Which images each training holds out."""

import warnings
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.classifiers import Classifier

Rows = NDArray[np.int64]


class Fold(NamedTuple):
    """Row numbers to train on and to score; no picture (sha256) is in both."""

    train: Rows
    held_out: Rows


def split_folds(labelled: pl.DataFrame, classifier: Classifier) -> list[Fold]:
    """Split labelled images (sha256, label) by label and seed; `single_80_20` has one fold, `k_fold` holds each image out once.

    A label with fewer images than folds is held out in some folds alone, which costs nothing; what cannot be scored is an image
    whose label its classifier never saw.

    Raises:
        EveError: fewer than two labels, or one of them would be absent from a training set.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    _check_labels(labelled)
    splitter = StratifiedGroupKFold(min(classifier.folds, _most_pictures(labelled)), shuffle=True, random_state=classifier.seed)
    labels = labelled["label"].to_numpy()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        folds = [Fold(*rows) for rows in splitter.split(labels, labels, labelled["sha256"].to_numpy())]
    if classifier.split == "single_80_20":
        folds = folds[:1]
    for fold in folds:
        if unseen := sorted(set(labels) - set(labels[fold.train])):
            raise _too_few(unseen[0])
    return [fold for fold in folds if fold.held_out.size]


def pictures_by_label(labelled: pl.DataFrame) -> dict[str, int]:
    """Return the number of different pictures of each label, in alphabetical order."""
    return dict(labelled.group_by("label").agg(pl.col("sha256").n_unique()).sort("label").iter_rows())


def _most_pictures(labelled: pl.DataFrame) -> int:
    return max(pictures_by_label(labelled).values())


def _check_labels(labelled: pl.DataFrame) -> None:
    counts = pictures_by_label(labelled)
    if len(counts) < 2:  # noqa: PLR2004 - nothing to tell apart
        raise EveError(
            f"A hard subset needs images of at least two labels; there are {len(counts)}",
            "Give the dataset labelled images, or leave hard_subset out of its entry.",
        )
    if alone := [label for label, count in counts.items() if count == 1]:
        raise _too_few(alone[0])


def _too_few(label: str) -> EveError:
    return EveError(
        f"Label {label!r} has too few different pictures to be learnt without the one that is scored",
        "Add pictures of it, take its pictures out, or leave hard_subset out of the dataset's entry.",
    )
