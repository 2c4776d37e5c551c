"""Build, train and ask one classifier."""

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from eve_pipeline.accelerator import prepare_torch
from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.classifiers import Classifier

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class Examples(NamedTuple):
    """Pictures (n, 3, side, side; uint8, on the CPU) and their class numbers (n, on the device that computes)."""

    pictures: "Tensor"
    targets: "Tensor"


def build_network(classifier: Classifier, n_classes: int) -> "nn.Sequential":
    """Return a network from pixels (n, 3, side, side; uint8 or 0 to 1) to class scores (n, n_classes).

    Raises:
        EveError: timm does not know the model or its arguments, or its weights cannot be had.
    """
    prepare_torch()
    import timm
    from torch import float32, nn
    from torchvision.transforms import v2  # type: ignore[import-untyped]  # torchvision ships no types

    try:
        backbone = timm.create_model(classifier.model, pretrained=classifier.pretrained, num_classes=0, **classifier.model_args)
    except OSError as error:
        raise _no_weights(classifier, error) from error
    except (RuntimeError, TypeError, ValueError) as error:
        raise EveError(f"Classifier {classifier.key!r} cannot be built: {error}", "Correct model and model_args of its entry.") from error
    colours = timm.data.resolve_model_data_config(backbone)
    pixels = [v2.ToDtype(float32, scale=True), v2.Normalize(colours["mean"], colours["std"])]
    widths = (backbone.num_features, *classifier.hidden_layers)
    hidden = [layer for ins, outs in pairwise(widths) for layer in (nn.Linear(ins, outs), nn.ReLU())]
    return nn.Sequential(*pixels, backbone, nn.Dropout(classifier.dropout), *hidden, nn.Linear(widths[-1], n_classes))


def _no_weights(classifier: Classifier, error: OSError) -> EveError:
    return EveError(
        f"The weights {classifier.model!r} of classifier {classifier.key!r} cannot be had: {error}",
        "Connect to huggingface.co once; or fetch them elsewhere and name the file in the entry, "
        "model_args: {pretrained_cfg_overlay: {file: PATH}}; or choose a classifier that trains from scratch, such as vit-sample.",
    )


def train(network: "nn.Module", examples: Examples, rows: "Tensor", classifier: Classifier, on_batch: Callable[[], None]) -> None:
    """Train in place on some rows of the examples; draws from torch's global random generator."""
    import torch
    from torch.nn.functional import cross_entropy

    device = examples.targets.device
    optimizer = _optimizer(network, classifier)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, classifier.t_max or classifier.epochs)
    scaler = torch.amp.GradScaler(device.type, enabled=_half(device) == torch.float16)
    network.train()
    for _ in range(classifier.epochs):
        for batch in rows[torch.randperm(len(rows))].split(classifier.batch_size):
            pictures = _send(examples, batch)
            with _autocast(device):
                scores = network(_augment(pictures) if classifier.augment else pictures)
                loss = cross_entropy(scores, examples.targets[batch.to(device)])
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            on_batch()
        schedule.step()


def predict(network: "nn.Module", examples: Examples, rows: "Tensor", batch_size: int, on_batch: Callable[[], None]) -> "Tensor":
    """Return the probability of each class for some rows of the examples, (rows, n_classes), float64 on the CPU."""
    import torch

    network.eval()
    scores = []
    with torch.inference_mode(), _autocast(examples.targets.device):
        for batch in rows.split(batch_size):
            scores.append(network(_send(examples, batch)))
            on_batch()
    return torch.cat(scores).double().softmax(1).cpu()


def _optimizer(network: "nn.Module", classifier: Classifier) -> "torch.optim.Optimizer":
    import torch

    if classifier.optimizer == "adamw":
        return torch.optim.AdamW(network.parameters(), classifier.learning_rate, weight_decay=classifier.weight_decay)
    return torch.optim.SGD(network.parameters(), classifier.learning_rate, classifier.momentum, weight_decay=classifier.weight_decay)


def _send(examples: Examples, rows: "Tensor") -> "Tensor":
    pictures, device = examples.pictures[rows], examples.targets.device
    return pictures.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else pictures.to(device)


def _augment(pictures: "Tensor") -> "Tensor":
    """Mirror half of the pictures and shift each by up to a sixteenth of its side; returns floats from 0 to 1."""
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    n, device = len(pictures), pictures.device
    moves = torch.zeros(n, 2, 3, device=device)
    moves[:, 0, 0] = torch.randint(0, 2, (n,), device=device) * 2.0 - 1
    moves[:, 1, 1] = 1
    moves[:, :, 2] = torch.rand(n, 2, device=device) / 4 - 1 / 8
    grid = affine_grid(moves, list(pictures.shape), align_corners=False)
    return grid_sample(pictures / 255, grid, padding_mode="reflection", align_corners=False)


def _half(device: "torch.device") -> "torch.dtype":
    """The 16-bit type that the device computes in."""
    import torch

    no_bfloat = device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.float16 if no_bfloat else torch.bfloat16


def _autocast(device: "torch.device") -> "torch.autocast":
    import torch

    return torch.autocast(device.type, dtype=_half(device), enabled=device.type == "cuda")
