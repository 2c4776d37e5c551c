"""Draws follow the distribution that transformers' own rules leave, and each row its own seed."""

from pathlib import Path

import pytest
import torch
from scipy.stats import chisquare

from eve_pipeline.settings import Settings
from eve_pipeline.vlms.checkpoints import load_checkpoint
from eve_pipeline.vlms.registry import ModelEntry, Parameters, model_entry
from eve_pipeline.vlms.sampling import OwnDraws, decoding

SCORES = torch.tensor([0.5, 0.25, 0.15, 0.1]).log()
NO_TOKENS = torch.zeros(1, 1, dtype=torch.long)


def drawn(draws: OwnDraws, rows: int) -> list[int]:
    return draws(NO_TOKENS.expand(rows, 1), SCORES.expand(rows, -1)).argmax(dim=1).tolist()


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"temperature": 1.0}, [0.5, 0.25, 0.15, 0.1]),
        ({"temperature": 0.5}, [0.7246, 0.1812, 0.0652, 0.0290]),  # squares of the shares, over their sum 0.345
        ({"temperature": 1.0, "top_p": 0.7}, [2 / 3, 1 / 3, 0, 0]),
        ({"temperature": 1.0, "top_k": 3}, [5 / 9, 2.5 / 9, 1.5 / 9, 0]),
    ],
)
def test_draws_have_the_shares_of_the_distribution(rules: dict[str, float], expected: list[float]):
    counts = torch.bincount(torch.tensor(drawn(OwnDraws(range(4000), **rules), 4000)), minlength=4)  # type: ignore[arg-type]
    possible = [place for place, share in enumerate(expected) if share]
    assert all(count == 0 for place, count in enumerate(counts.tolist()) if place not in possible)
    shares = torch.tensor([expected[place] for place in possible], dtype=torch.float64)
    assert chisquare(counts[possible].double(), 4000 * shares / shares.sum()).pvalue > 0.001


def test_a_row_draws_the_same_whatever_is_beside_it():
    together, alone = OwnDraws([7, 8, 9], 1.0), OwnDraws([8], 1.0)
    assert [drawn(together, 3)[1] for _ in range(50)] == [drawn(alone, 1)[0] for _ in range(50)]


@pytest.fixture(scope="module")
def model() -> object:
    settings = Settings(device="cpu")
    return load_checkpoint(model_entry("demo-llava-small", settings), settings).model


def rules(model, **own: object):
    """What `generate` is told for parameters, and for what the checkpoint's own generation configuration says."""

    def of(**parameters: object) -> OwnDraws | None:
        entry = ModelEntry(key="m", backend="transformers", id="m", path=Path(), parameters=Parameters.model_validate(parameters))
        told = decoding(entry, model, [1])
        assert told["do_sample"] is False
        return told["logits_processor"][0] if "logits_processor" in told else None

    model.generation_config.do_sample = bool(own)
    for name in ("temperature", "top_p", "top_k"):
        setattr(model.generation_config, name, own.get(name))
    return of


def described(draws: OwnDraws | None) -> list[tuple[str, float]] | None:
    """The rules before a draw, by name and value."""
    if draws is None:
        return None
    values = {"TemperatureLogitsWarper": "temperature", "TopKLogitsWarper": "top_k", "TopPLogitsWarper": "top_p"}
    names = [type(warp).__name__ for warp in draws.warpers]
    return [(name, getattr(warp, values[name])) for name, warp in zip(names, draws.warpers, strict=True)]


def test_what_an_entry_leaves_open_is_the_checkpoints(model):
    greedy = rules(model)
    assert greedy(temperature=0) is None
    assert greedy(temperature=None) is None
    assert described(greedy(temperature=0.5, top_p=0.3)) == [("TemperatureLogitsWarper", 0.5), ("TopPLogitsWarper", 0.3)]
    sampled = rules(model, temperature=0.7, top_p=0.8, top_k=20)
    own = [("TemperatureLogitsWarper", 0.7), ("TopKLogitsWarper", 20), ("TopPLogitsWarper", 0.8)]
    assert sampled(temperature=0) is None
    assert described(sampled(temperature=None)) == own
    assert described(sampled(temperature=1.5)) == [("TemperatureLogitsWarper", 1.5), *own[1:]]
