import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from eve_pipeline.hard_subset.classifiers import Classifier
from eve_pipeline.hard_subset.training import Examples, Parts, Training, balanced_weights, measure, predict

LINEAR = Classifier(key="linear", model="none", image_size=8, optimizer="sgd", learning_rate=0.5, epochs=30, batch_size=20)


@given(st.lists(st.integers(0, 4), max_size=80))
def test_balanced_weights_are_scikit_learns(classes: list[int]) -> None:
    targets = np.array([*range(5), *classes])
    assert balanced_weights(torch.tensor(targets), 5).tolist() == pytest.approx(
        compute_class_weight("balanced", classes=np.arange(5), y=targets).tolist()
    )


def test_measure_by_hand() -> None:
    probabilities = torch.tensor([[0.5, 0.5], [0.25, 0.75]], dtype=torch.float64)
    loss, accuracy = measure(probabilities, torch.tensor([0, 0]))
    assert loss == pytest.approx((np.log(2) + np.log(4)) / 2)
    assert accuracy == 0.5


@pytest.mark.parametrize(("weighted", "expected"), [(False, 0.1), (True, 0.5)])
def test_balanced_loss_counts_a_rare_class_as_much_as_a_frequent_one(weighted: bool, expected: float) -> None:
    """Inputs that say nothing: what is learnt is how often each class counts, here 18 to 2."""
    torch.manual_seed(0)
    examples = Examples(torch.ones(20, 1), torch.tensor([0] * 18 + [1] * 2))
    training = Training(nn.Linear(1, 2), LINEAR, torch.device("cpu"))
    parts = Parts(torch.arange(20), torch.empty(0, dtype=torch.long))
    weights = balanced_weights(examples.targets, 2) if weighted else None
    while not training.is_over:
        training.run_epoch(examples, parts, weights, lambda _: None)
    assert len(training.trained) == 30
    assert predict(training.network, examples, torch.tensor([0]), 1)[0, 1].item() == pytest.approx(expected, abs=0.02)


def test_training_losses_are_of_the_epochs_batches() -> None:
    """One batch an epoch: the loss of an epoch is that of the network before its step; two equal classes start at ln 2."""
    network = nn.Linear(1, 2)
    nn.init.zeros_(network.weight)
    nn.init.zeros_(network.bias)
    training = Training(network, LINEAR, torch.device("cpu"))
    examples = Examples(torch.ones(20, 1), torch.tensor([0] * 15 + [1] * 5))
    training.run_epoch(examples, Parts(torch.arange(20), torch.empty(0, dtype=torch.long)), None, lambda _: None)
    loss, accuracy = training.trained[0]
    assert loss == pytest.approx(np.log(2))
    assert accuracy == 0.75
