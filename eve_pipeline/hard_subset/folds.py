"""Which images each training learns from, stops early by, and scores."""

import warnings
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.classifiers import Classifier

Rows = NDArray[np.int64]
NO_ROWS: Rows = np.empty(0, np.int64)


class Fold(NamedTuple):
    """Row numbers to train on, to decide by when to stop (empty without `patience`), and to score; no picture (sha256) is in two."""

    train: Rows
    validation: Rows
    held_out: Rows


def split_folds(labelled: pl.DataFrame, classifier: Classifier) -> list[Fold]:
    """Split labelled images (sha256, label) by label and seed; `single_80_20` has one fold, `k_fold` holds each image out once.

    A label with fewer images than folds is held out in some folds alone, which costs nothing; what cannot be scored is an image
    whose label its classifier never saw. To keep the weights of `k_fold` there is a last one that trains on all and scores none.

    Raises:
        EveError: fewer than two labels, or one of them would be absent from a training set.
    """
    _check_labels(labelled)
    splits = _split(labelled, classifier.folds, classifier.seed)
    if classifier.split == "single_80_20":
        splits = splits[:1]
    labels = labelled["label"].to_numpy()
    for train, _ in splits:
        if unseen := sorted(set(labels) - set(labels[train])):
            raise _too_few(unseen[0])
    splits = [(train, held_out) for train, held_out in splits if held_out.size]
    if classifier.keep_weights and classifier.split == "k_fold":
        splits.append((np.arange(labelled.height), NO_ROWS))
    return [Fold(*_set_aside(labelled, train, classifier), held_out) for train, held_out in splits]


def pictures_by_label(labelled: pl.DataFrame) -> dict[str, int]:
    """Return the number of different pictures of each label, in alphabetical order."""
    return dict(labelled.group_by("label").agg(pl.col("sha256").n_unique()).sort("label").iter_rows())


def _split(labelled: pl.DataFrame, n: int, seed: int) -> list[tuple[Rows, Rows]]:
    """Return the rows outside and inside each of `n` parts of similar labels, duplicates in one part; some may be empty."""
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(min(n, _most_pictures(labelled)), shuffle=True, random_state=seed)
    labels = labelled["label"].to_numpy()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        return list(splitter.split(labels, labels, labelled["sha256"].to_numpy()))


def _set_aside(labelled: pl.DataFrame, train: Rows, classifier: Classifier) -> tuple[Rows, Rows]:
    """Return the rows to train on and the validation part taken from them; each label keeps pictures to train on."""
    if not classifier.patience:
        return train, NO_ROWS
    rows = labelled[train]
    if _most_pictures(rows) < 2:  # noqa: PLR2004 - one to train on, one to validate with
        raise EveError("No label has the two training pictures that early stopping needs", "Leave patience out of the classifier's file.")
    kept, aside = _split(rows, round(1 / classifier.validation_share), classifier.seed)[0]
    unseen = set(rows["label"]) - set(rows["label"][kept])
    stays = rows["label"][aside].is_in(unseen).to_numpy()
    return train[np.sort(np.concatenate([kept, aside[stays]]))], train[aside[~stays]]


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
