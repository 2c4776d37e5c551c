"""Build a classifier's network, with the weights that it starts from."""

from itertools import pairwise
from typing import TYPE_CHECKING

from eve_pipeline.accelerator import prepare_torch
from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.classifiers import Classifier
from eve_pipeline.hard_subset.weights import Weights

if TYPE_CHECKING:
    from torch import nn


def build_network(classifier: Classifier, labels: tuple[str, ...], start: Weights | None = None) -> "nn.Sequential":
    """Return a network from pixels (n, 3, side, side; uint8 or 0 to 1) to class scores (n, labels).

    The last layer starts at random, unless `start` was trained on the same labels.

    Raises:
        EveError: timm does not know the model or its arguments, or its weights cannot be had or are of another network.
    """
    prepare_torch()
    import timm
    from torch import float32, nn
    from torchvision.transforms import v2  # type: ignore[import-untyped]  # torchvision ships no types

    try:
        backbone = timm.create_model(classifier.model, pretrained=classifier.pretrained, num_classes=0, **classifier.model_args)
    except OSError as error:
        raise _no_weights(classifier, error) from error
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise _not_built(classifier, error) from error
    colours = timm.data.resolve_model_data_config(backbone)
    pixels = [v2.ToDtype(float32, scale=True), v2.Normalize(colours["mean"], colours["std"])]
    widths = (backbone.num_features, *classifier.hidden_layers)
    hidden = [layer for ins, outs in pairwise(widths) for layer in (nn.Linear(ins, outs), nn.ReLU())]
    network = nn.Sequential(*pixels, backbone, nn.Dropout(classifier.dropout), *hidden, nn.Linear(widths[-1], len(labels)))
    _try(network, classifier, len(labels))
    if start:
        _load(network, start, labels, classifier)
    return network


def _try(network: "nn.Sequential", classifier: Classifier, n_labels: int) -> None:
    """Make sure that the network reads pictures of the classifier's size, before they are decoded."""
    import torch

    side = classifier.image_size
    try:
        with torch.no_grad():  # inference tensors that a model caches could not be trained with
            shape = tuple(network.eval()(torch.zeros(1, 3, side, side, dtype=torch.uint8)).shape)
    except (AssertionError, RuntimeError, ValueError) as error:
        raise _not_built(classifier, error) from error
    if shape != (1, n_labels):
        raise _not_built(classifier, f"it gives {shape} numbers for a picture, not one a label ({n_labels})")


def _load(network: "nn.Sequential", start: Weights, labels: tuple[str, ...], classifier: Classifier) -> None:
    state = start.state()
    if start.learnt.labels != labels:
        state |= {f"{len(network) - 1}.{name}": tensor for name, tensor in network[-1].state_dict().items()}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise EveError(
            f"Classifier {classifier.key!r} cannot start from the weights of dataset {start.learnt.dataset!r}, "
            f"which {start.learnt.classifier} trained: {error}",
            "Give both classifiers the same model, model_args and hidden_layers, then prepare that dataset again.",
        ) from error


def _not_built(classifier: Classifier, reason: object) -> EveError:
    return EveError(f"Classifier {classifier.key!r} cannot be built: {reason}", "Correct model, model_args and image_size of its entry.")


def _no_weights(classifier: Classifier, error: OSError) -> EveError:
    return EveError(
        f"The weights {classifier.model!r} of classifier {classifier.key!r} cannot be had: {error}",
        "Connect to huggingface.co once; or fetch them elsewhere and name the file in the entry, "
        "model_args: {pretrained_cfg_overlay: {file: PATH}}; or choose a classifier that trains from scratch, such as vit-sample.",
    )
