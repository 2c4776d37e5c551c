"""Score every image with a classifier that never trained on it."""

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.progress import Progress

from eve_pipeline.accelerator import pick_device
from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.classifiers import Classifier
from eve_pipeline.hard_subset.folds import Fold, split_folds
from eve_pipeline.hard_subset.pictures import decode_pictures
from eve_pipeline.hard_subset.training import Examples, build_network, predict, train
from eve_pipeline.settings import Settings

if TYPE_CHECKING:
    from torch import nn


def out_of_fold_scores(
    images: pl.DataFrame, root: Path, classifier: Classifier, settings: Settings, progress: Progress | None = None
) -> pl.DataFrame:
    """Return `classifier_scores` of the labelled ones of one dataset's images (rows of table `images`), in order of image_id.

    The split option `single_80_20` scores a fifth of them, `k_fold` all. On one device, the same images, classifier and versions
    give the same scores whatever the order of rows. Image paths are relative to `root`; decoded images lie in EVE_HOME meanwhile.

    Raises:
        EveError: too few images of a label, an image that cannot be read, a model that cannot be had, or a training that diverged.
    """
    import torch

    labelled = images.filter(pl.col("label").is_not_null()).sort("image_id")
    folds = split_folds(labelled, classifier)
    labels = labelled["label"].unique().sort()
    device = pick_device(settings.device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(classifier.seed)
        # Built once and copied for each fold, so that weights that cannot be had are missed before the work starts.
        network = build_network(classifier, len(labels)).to(device)
        settings.home.mkdir(parents=True, exist_ok=True)
        files = [root / path for path in labelled["path"]]
        pictures = torch.from_numpy(decode_pictures(files, classifier.image_size, settings.workers, settings.home))
        targets = torch.tensor(labels.search_sorted(labelled["label"]).to_list(), device=device)
        examples = Examples(pictures, targets)
        on_batch = _counter(progress, folds, classifier)
        probabilities = [_score_fold(deepcopy(network), examples, fold, classifier, on_batch) for fold in folds]
    if not all(np.isfinite(fold).all() for fold in probabilities):
        raise EveError(f"Classifier {classifier.key!r} diverged on {root}", "Lower learning_rate in its file.")
    rows = [_score_rows(labelled[fold.held_out], labels, scores) for fold, scores in zip(folds, probabilities, strict=True)]
    scores = pl.concat(row.with_columns(fold=pl.lit(number, pl.Int64)) for number, row in enumerate(rows))
    return scores.with_columns(classifier=pl.lit(classifier.identity)).sort("image_id")


def _score_fold(
    network: "nn.Module", examples: Examples, fold: Fold, classifier: Classifier, on_batch: Callable[[], None]
) -> NDArray[np.float64]:
    """Return the probability of each class for the images held out; the seed is set anew, so folds do not depend on one another."""
    import torch

    torch.manual_seed(classifier.seed)
    train(network, examples, torch.from_numpy(fold.train), classifier, on_batch)
    return predict(network, examples, torch.from_numpy(fold.held_out), classifier.batch_size, on_batch).numpy()


def _score_rows(held_out: pl.DataFrame, labels: pl.Series, probabilities: NDArray[np.float64]) -> pl.DataFrame:
    true = labels.search_sorted(held_out["label"]).to_numpy()
    return held_out.select("dataset", "image_id").with_columns(
        p_true=probabilities[np.arange(len(true)), true],
        predicted=labels.gather(probabilities.argmax(1)),
        p_predicted=probabilities.max(1),
    )


def _counter(progress: Progress | None, folds: Sequence[Fold], classifier: Classifier) -> Callable[[], None]:
    """Return what is called after each batch."""
    if progress is None:
        return lambda: None
    trained = sum(math.ceil(len(fold.train) / classifier.batch_size) for fold in folds) * classifier.epochs
    scored = sum(math.ceil(len(fold.held_out) / classifier.batch_size) for fold in folds)
    task = progress.add_task(f"{classifier.key}: {len(folds)} folds", total=trained + scored)
    return lambda: progress.advance(task)
