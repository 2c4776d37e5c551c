"""Train and ask one network."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from eve_pipeline.hard_subset.checkpoints import State
from eve_pipeline.hard_subset.classifiers import Classifier

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Advance = Callable[[int], None]
Measured = tuple[float, float]  # mean cross-entropy of some images, unweighted and in nats, and accuracy in [0, 1]


class Examples(NamedTuple):
    """What a network reads (n, ...; on the CPU) and the class numbers (n, on the device that computes).

    The inputs are pictures (3, side, side; uint8), or the features (float32) that the frozen layers made of them.
    """

    inputs: "Tensor"
    targets: "Tensor"


class Parts(NamedTuple):
    """Rows of the examples to train on, and those by which to stop early; none without `patience`."""

    train: "Tensor"
    validation: "Tensor"


class Training:
    """A network in training: all that has to be known to go on after an epoch as if nothing had happened."""

    def __init__(self, network: "nn.Module", classifier: Classifier, device: "torch.device") -> None:
        """Begin before the first epoch."""
        import torch

        self.network, self.classifier, self.device = network, classifier, device
        self.optimizer = _optimizer(network, classifier)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, classifier.t_max or classifier.epochs)
        self.scaler = torch.amp.GradScaler(device.type, enabled=_half(device) == torch.float16)
        self.trained: list[Measured] = []
        self.validated: list[Measured] = []
        self.best: State = {}

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, or the last `patience` of them did not lower the loss of the validation part."""
        losses, patience = [loss for loss, _ in self.validated], self.classifier.patience
        stale = len(losses) - 1 - losses.index(min(losses)) if losses else 0
        return len(self.trained) >= self.classifier.epochs or bool(patience and stale >= patience)

    def run_epoch(self, examples: Examples, parts: Parts, weights: "Tensor | None", advance: Advance) -> None:
        """Train on all rows once in random order, then measure the validation part; draws from torch's global random generator."""
        self.trained.append(self._train_epoch(examples, parts.train, weights, advance))
        self.schedule.step()
        if len(parts.validation):
            probabilities = predict(self.network, examples, parts.validation, self.classifier.batch_size)
            self.validated.append(measure(probabilities, examples.targets[parts.validation.to(self.device)].cpu()))
            if self.validated[-1][0] == min(loss for loss, _ in self.validated):
                self.best = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    def _train_epoch(self, examples: Examples, rows: "Tensor", weights: "Tensor | None", advance: Advance) -> Measured:
        import torch
        from torch.nn.functional import cross_entropy

        totals = torch.zeros(2, device=self.device)
        self.network.train()
        for batch in rows[torch.randperm(len(rows))].split(self.classifier.batch_size):
            inputs, targets = _send(examples, batch), examples.targets[batch.to(self.device)]
            with _autocast(self.device):
                scores = self.network(_augment(inputs) if self.classifier.augment else inputs)
                loss = cross_entropy(scores, targets, weights)
            self.optimizer.zero_grad()
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            with torch.no_grad():  # summed on the device, so that the CPU prepares the next batch meanwhile
                totals += torch.stack([cross_entropy(scores.float(), targets, reduction="sum"), (scores.argmax(1) == targets).sum()])
            advance(1)
        loss, accuracy = (totals / len(rows)).tolist()
        return loss, accuracy

    def state(self) -> State:
        """Return everything that `resume` needs, the generators' states included."""
        import torch

        on_cuda = self.device.type == "cuda"
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if on_cuda else None,
            "trained": self.trained,
            "validated": self.validated,
            "best": self.best,
        }

    def resume(self, state: State) -> None:
        """Go back to a state."""
        import torch

        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random"])
        if state["random_cuda"] is not None:
            torch.cuda.set_rng_state(state["random_cuda"], self.device)
        self.trained, self.validated, self.best = state["trained"], state["validated"], state["best"]


def balanced_weights(targets: "Tensor", n_classes: int) -> "Tensor":
    """Return n / (n_classes * n of the class) for each class (n_classes,), as scikit-learn's `compute_class_weight("balanced")`."""
    return len(targets) / (n_classes * targets.bincount(minlength=n_classes))


def predict(network: "nn.Module", examples: Examples, rows: "Tensor", batch_size: int, advance: Advance = lambda _: None) -> "Tensor":
    """Return the probability of each class for some rows of the examples, (rows, n_classes), float64 on the CPU."""
    return outputs(network, examples, rows, batch_size, advance).double().softmax(1)


def outputs(network: "nn.Module", examples: Examples, rows: "Tensor", batch_size: int, advance: Advance) -> "Tensor":
    """Return what a network, put in evaluation mode, makes of some rows of the examples, (rows, width), float32 on the CPU."""
    import torch

    network.eval()
    found = []
    with torch.inference_mode(), _autocast(examples.targets.device):
        for batch in rows.split(batch_size):
            found.append(network(_send(examples, batch)))
            advance(1)
    return torch.cat(found).float().cpu()


def measure(probabilities: "Tensor", targets: "Tensor") -> Measured:
    """Return cross-entropy and accuracy of probabilities (n, n_classes) of class numbers (n), both on the CPU."""
    from torch.nn.functional import nll_loss

    return nll_loss(probabilities.log(), targets).item(), (probabilities.argmax(1) == targets).double().mean().item()


def _optimizer(network: "nn.Module", classifier: Classifier) -> "torch.optim.Optimizer":
    import torch

    if classifier.optimizer == "adamw":
        return torch.optim.AdamW(network.parameters(), classifier.learning_rate, weight_decay=classifier.weight_decay)
    return torch.optim.SGD(network.parameters(), classifier.learning_rate, classifier.momentum, weight_decay=classifier.weight_decay)


def _send(examples: Examples, rows: "Tensor") -> "Tensor":
    inputs, device = examples.inputs[rows], examples.targets.device
    return inputs.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else inputs.to(device)


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
