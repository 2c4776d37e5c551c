"""Score every image with a classifier that never trained on it."""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import polars as pl
from numpy.typing import NDArray
from rich.progress import Progress

from eve_pipeline.accelerator import pick_device
from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.checkpoints import Checkpoints, State
from eve_pipeline.hard_subset.classifiers import Classifier
from eve_pipeline.hard_subset.folds import Fold, split_folds
from eve_pipeline.hard_subset.networks import build_network
from eve_pipeline.hard_subset.pictures import decode_pictures
from eve_pipeline.hard_subset.training import Advance, Examples, Measured, Parts, Training, balanced_weights, measure, outputs, predict
from eve_pipeline.hard_subset.weights import Learnt, identity, save_weights, scorable, starting_weights
from eve_pipeline.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class OutOfFold(NamedTuple):
    """Rows of `classifier_scores`, and the curves of the trainings.

    The curves have columns training (the fold, or the one after the last fold for kept weights), part (training, validation, held
    out), epoch (from 1; the last one used for what is held out), loss (nats), accuracy.
    """

    scores: pl.DataFrame
    curves: pl.DataFrame


class Scorer(NamedTuple):
    """What all trainings of one scoring share; each starts from a copy of `network`, which follows the layers that are `frozen`."""

    classifier: Classifier
    labels: pl.Series
    frozen: "nn.Sequential"
    network: "nn.Sequential"
    checkpoints: Checkpoints
    advance: Advance


class Trained(NamedTuple):
    """What a training leaves behind: probabilities of what it held out (rows, n_classes), its curves, weights where they are kept."""

    probabilities: "Tensor"
    trained: list[Measured]
    validated: list[Measured]
    held_out: Measured | None
    weights: "dict[str, Tensor] | None"


def out_of_fold_scores(
    images: pl.DataFrame, root: Path, classifier: Classifier, settings: Settings, progress: Progress | None = None
) -> OutOfFold:
    """Score the labelled ones of one dataset's images (rows of table `images`); the scores are in order of image_id.

    The split option `single_80_20` scores a fifth of them, `k_fold` all; what the starting weights learnt from is left out. On one
    device, the same images, classifier and versions give the same scores whatever the order of rows, and however often the scoring
    was killed and called again: it goes on after the last finished epoch, and a finished one is not done again. Image paths are
    relative to `root`; decoded images lie in EVE_HOME meanwhile, what the trainings found and kept weights for good.

    Raises:
        EveError: too few images of a label, an image that cannot be read, a model or weights that cannot be had, too little disk, or a
            training that diverged.
    """
    import torch
    from torch import nn

    start, device = starting_weights(classifier, settings), pick_device(settings.device)
    labelled, name = scorable(images, start), identity(classifier, start)
    folds = split_folds(labelled, classifier)
    labels = labelled["label"].unique().sort()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(classifier.seed)
        # Built once and copied for each fold, so that weights that cannot be had are missed before the work starts.
        network = build_network(classifier, tuple(labels), start)
        # A file or hub may hold other first weights under the same name.
        first_weights = _digest(tensor.numpy() for tensor in network.state_dict().values())
        trained_on = _digest(rows for fold in folds for rows in fold)
        network = network.to(device)
        n_frozen = len(network) - 1 if classifier.trainable == "last_layer" else 0
        checkpoints = Checkpoints.of([name, str(classifier.keep_weights), first_weights, trained_on], labelled, device.type, settings)
        advance = _counter(progress, folds, labelled.height, classifier)
        layers = list(network)
        frozen, rest = nn.Sequential(*layers[:n_frozen]), nn.Sequential(*layers[n_frozen:])
        scorer = Scorer(classifier, labels, frozen, rest, checkpoints, advance)
        targets = torch.tensor(labels.search_sorted(labelled["label"]).to_list(), device=device)
        files = [root / path for path in labelled["path"]]
        examples = cache(lambda: Examples(_inputs(scorer, files, device, settings), targets))  # trainings that are done need none
        trained = [_train_fold(scorer, examples, number, fold) for number, fold in enumerate(folds)]
    if (weights := trained[-1].weights) is not None:
        seen = labelled["sha256"].gather([*folds[-1].train, *folds[-1].validation])
        pictures = frozenset(seen) | (start.learnt.pictures if start else frozenset())
        save_weights(weights, Learnt(labelled["dataset"][0], name, tuple(labels), pictures), settings)
    rows = [_score_rows(labelled, fold, labels, one.probabilities, n) for n, (fold, one) in enumerate(zip(folds, trained, strict=True))]
    scores = pl.concat(rows).with_columns(classifier=pl.lit(name)).sort("image_id")
    checkpoints.remove_others(*map(_training, range(len(folds))))
    return OutOfFold(scores, pl.concat(_curves(one, number) for number, one in enumerate(trained)))


def _digest(arrays: Iterable[NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()


def _inputs(scorer: Scorer, files: Sequence[Path], device: "torch.device", settings: Settings) -> "Tensor":
    """Return the decoded pictures or, where layers are frozen, what these make of them: the same in all folds and epochs."""
    import torch

    classifier, n_batches = scorer.classifier, math.ceil(len(files) / scorer.classifier.batch_size)
    if len(scorer.frozen) and (kept := scorer.checkpoints.load("features")):
        scorer.advance(n_batches)
        return cast("Tensor", kept["features"])
    pictures = torch.from_numpy(decode_pictures(files, classifier.image_size, settings.workers, settings.home))
    if not len(scorer.frozen):
        return pictures
    rows = torch.arange(len(files))
    features = outputs(scorer.frozen, Examples(pictures, rows.to(device)), rows, classifier.batch_size, scorer.advance)
    scorer.checkpoints.save("features", {"features": features})
    return features


def _training(number: int) -> str:
    return f"training-{number}"


def _train_fold(scorer: Scorer, examples: Callable[[], Examples], number: int, fold: Fold) -> Trained:
    """Return what one training leaves behind, going on from where an earlier call was killed."""
    import torch

    name, n_batches = _training(number), math.ceil(len(fold.train) / scorer.classifier.batch_size)
    kept = scorer.checkpoints.load(name)
    if kept and "done" in kept:
        scorer.advance(n_batches * scorer.classifier.epochs)
        return Trained(**kept["done"])
    torch.manual_seed(scorer.classifier.seed)  # anew, so that trainings do not depend on one another
    training = Training(deepcopy(scorer.network), scorer.classifier, examples().targets.device)
    if kept:
        training.resume(kept)
        scorer.advance(n_batches * len(training.trained))
    _run(training, scorer, examples(), fold, partial(scorer.checkpoints.save, name))
    scorer.advance(n_batches * (scorer.classifier.epochs - len(training.trained)))
    trained = _finish(training, scorer, examples(), fold)
    scorer.checkpoints.save(name, {"done": trained._asdict()})
    return trained


def _run(training: Training, scorer: Scorer, examples: Examples, fold: Fold, save: Callable[[State], None]) -> None:
    """Train until it is over, saving after each epoch; then take the epoch that was best on the validation part, if there is one."""
    import torch

    classifier, parts = scorer.classifier, Parts(torch.from_numpy(fold.train), torch.from_numpy(fold.validation))
    targets = examples.targets[parts.train.to(training.device)]
    weights = balanced_weights(targets, len(scorer.labels)) if classifier.class_weights else None
    while not training.is_over:
        training.run_epoch(examples, parts, weights, scorer.advance)
        if not math.isfinite(training.trained[-1][0]):
            raise EveError(f"Classifier {classifier.key!r} diverged in epoch {len(training.trained)}", "Lower learning_rate in its file.")
        save(training.state())
    if training.best:
        training.network.load_state_dict(training.best)


def _finish(training: Training, scorer: Scorer, examples: Examples, fold: Fold) -> Trained:
    """Score what was held out; keep the weights of the training that is made for them, or of the only one."""
    import torch
    from torch import nn

    probabilities, held_out = torch.empty(0, len(scorer.labels), dtype=torch.float64), None
    if fold.held_out.size:
        rows = torch.from_numpy(fold.held_out)
        probabilities = predict(training.network, examples, rows, scorer.classifier.batch_size)
        held_out = measure(probabilities, examples.targets.cpu()[rows])
    is_kept = scorer.classifier.keep_weights and (not fold.held_out.size or scorer.classifier.split == "single_80_20")
    weights = nn.Sequential(*scorer.frozen, *cast("nn.Sequential", training.network)).state_dict() if is_kept else None
    return Trained(probabilities, training.trained, training.validated, held_out, weights)


def _score_rows(labelled: pl.DataFrame, fold: Fold, labels: pl.Series, probabilities: "torch.Tensor", number: int) -> pl.DataFrame:
    held_out, p = labelled[fold.held_out], probabilities.numpy()
    true = labels.search_sorted(held_out["label"]).to_numpy()
    pairs = [[{"label": label, "probability": share} for label, share in zip(labels, row, strict=True)] for row in p.tolist()]
    return held_out.select("dataset", "image_id").with_columns(
        fold=pl.lit(number, pl.Int64),
        p_true=p[range(len(p)), true],
        predicted=labels.gather(p.argmax(1)),
        p_predicted=p.max(1),
        probabilities=pl.Series(pairs, dtype=pl.List(pl.Struct({"label": pl.String, "probability": pl.Float64}))),
    )


def _curves(one: Trained, number: int) -> pl.DataFrame:
    parts = {"training": one.trained, "validation": one.validated}
    rows = [(number, part, epoch, *measured) for part, curve in parts.items() for epoch, measured in enumerate(curve, 1)]
    if one.held_out:
        losses = [loss for loss, _ in one.validated]
        used = losses.index(min(losses)) + 1 if losses else len(one.trained)
        rows.append((number, "held out", used, *one.held_out))
    schema = {"training": pl.Int64, "part": pl.String, "epoch": pl.Int64, "loss": pl.Float64, "accuracy": pl.Float64}
    return pl.DataFrame(rows, schema, orient="row")


def _counter(progress: Progress | None, folds: Sequence[Fold], n_images: int, classifier: Classifier) -> Advance:
    """Return what is called with the number of batches that are done."""
    if progress is None:
        return lambda _: None
    once = math.ceil(n_images / classifier.batch_size) if classifier.trainable == "last_layer" else 0
    trained = sum(math.ceil(len(fold.train) / classifier.batch_size) for fold in folds) * classifier.epochs
    task = progress.add_task(f"{classifier.key}: {len(folds)} trainings", total=once + trained)
    return lambda n: progress.advance(task, n)
