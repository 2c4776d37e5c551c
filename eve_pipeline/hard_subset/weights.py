"""Weights kept for other classifiers to start from: one safetensors file a dataset, EVE_HOME/classifier_weights/<dataset>.safetensors."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from eve_pipeline.errors import EveError
from eve_pipeline.files import replacing, sha256_of_file
from eve_pipeline.hard_subset.classifiers import Classifier
from eve_pipeline.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

SEEN, LEARNT = "learnt_from_sha256", "learnt"


class Learnt(NamedTuple):
    """What weights are of: the dataset, the classifier (its identity), the labels in order of class, the pictures (sha256) learnt from.

    What the weights themselves started from was learnt from, too.
    """

    dataset: str
    classifier: str
    labels: tuple[str, ...]
    pictures: frozenset[str]


class Weights(NamedTuple):
    """A file of weights, and its SHA-256."""

    learnt: Learnt
    path: Path
    digest: str

    def state(self) -> "dict[str, Tensor]":
        """Return the network's tensors by name."""
        from safetensors.torch import load_file

        return {name: tensor for name, tensor in load_file(self.path).items() if name != SEEN}


def save_weights(state: "dict[str, Tensor]", learnt: Learnt, settings: Settings) -> None:
    """Keep weights whole or not at all, in place of the dataset's earlier ones."""
    import torch
    from safetensors.torch import save_file

    hashes = bytearray.fromhex("".join(sorted(learnt.pictures)))
    tensors = {name: tensor.contiguous().cpu() for name, tensor in state.items()}
    # One entry: safetensors writes several in any order, and equal weights would have different digests.
    about = {LEARNT: json.dumps({"classifier": learnt.classifier, "labels": learnt.labels})}
    with replacing(_file(learnt.dataset, settings)) as temporary:
        save_file(tensors | {SEEN: torch.frombuffer(hashes, dtype=torch.uint8).view(-1, 32)}, temporary, about)


def starting_weights(classifier: Classifier, settings: Settings) -> Weights | None:
    """Return the weights that a classifier starts from, None without `warm_start`.

    Raises:
        EveError: there are none, or the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    if not (dataset := classifier.warm_start):
        return None
    path = _file(dataset, settings)
    try:
        digest = sha256_of_file(path)
        with safe_open(path, "np") as tensors:
            hashes, about = tensors.get_tensor(SEEN), json.loads(tensors.metadata()[LEARNT])
    except FileNotFoundError as error:
        raise EveError(
            f"Classifier {classifier.key!r} starts from weights trained on dataset {dataset!r}, and {path} is not there",
            f"Prepare {dataset!r} first, with a classifier that has keep_weights: true: eve datasets prepare {dataset}",
        ) from error
    except (KeyError, SafetensorError) as error:
        raise EveError(f"{path} is not readable: {error}", f"Delete it, and run eve datasets prepare {dataset}.") from error
    pictures = frozenset(row.tobytes().hex() for row in hashes)
    return Weights(Learnt(dataset, about["classifier"], tuple(about["labels"]), pictures), path, digest)


def scorable(images: pl.DataFrame, start: Weights | None) -> pl.DataFrame:
    """Return the labelled images in order of image_id, without those that the starting weights learnt from."""
    labelled = images.filter(pl.col("label").is_not_null()).sort("image_id")
    return labelled.filter(~pl.col("sha256").is_in(start.learnt.pictures)) if start else labelled


def identity(classifier: Classifier, start: Weights | None) -> str:
    """Return what stands in `classifier_scores.classifier`: the classifier with its settings' digest, and the weights it starts from."""
    return f"{classifier.identity}+{start.learnt.dataset}@{start.digest[:12]}" if start else classifier.identity


def _file(dataset: str, settings: Settings) -> Path:
    return settings.home / "classifier_weights" / f"{dataset}.safetensors"
