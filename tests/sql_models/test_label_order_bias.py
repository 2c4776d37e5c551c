"""A bias for the first label of the list, planted in a model that is asked through `eve run`, is seen in the mart."""

import re

import duckdb
import polars as pl
import pytest

from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from tests.chat_server import LABELS, ChatServer
from tests.shell import eve

PROMPTS = ("permutation_4", "label_permutation", "simple", "negative_first")


def is_swayed(image: bytes) -> bool:
    """Whether the model looks at the list alone; true of about a third of the images."""
    return image[-5] % 3 == 0


def listed(text: str) -> list[str]:
    """The labels that a prompt lists."""
    found = re.search(r"evoke in you: (.*)\?", text)
    assert found
    return found[1].split(", ")


@pytest.fixture
def bias(prepared: Settings, chat_server: ChatServer) -> pl.DataFrame:
    """The mart of a model that says the first of four labels, and the first of eight about the images that sway it."""

    def choice(image: bytes, text: str) -> str:
        labels = listed(text)
        return labels[0] if len(labels) == 4 or is_swayed(image) else chat_server.label(image)

    chat_server.choice = choice
    options = [word for prompt in PROMPTS for word in ("--prompt", prompt)]
    done = eve("run", "--model", "served", "--dataset", "photos", *options, home=prepared.home)
    assert done.returncode == 0, done.stderr
    with duckdb.connect(Warehouse.of(prepared).database, read_only=True) as connection:
        return connection.sql("select * from marts.label_order_bias order by all").pl()


def test_a_planted_bias_is_seen_in_the_mart(bias: pl.DataFrame, prepared: Settings) -> None:
    assert bias["is_complete"].all()
    always = bias.filter(prompt="permutation_4", kind="position")
    assert always.select("position", "n_images", "n_answers", "share", "effect", "p_value", "reason").rows() == [
        (1, 12, 288, 1.0, None, pytest.approx(1 / 10_001), "not identified"),
        *[(position, 12, 288, 0.0, None, pytest.approx(1 / 10_001), "never chosen") for position in (2, 3, 4)],
    ]

    photographs = [file.read_bytes() for file in (prepared.home.parent / "photographs").glob("*/*.jpg")]
    swayed = sum(map(is_swayed, photographs)) / 24
    assert 0.1 < swayed < 0.6
    often = bias.filter(prompt="label_permutation", kind="position")
    assert often.select("n_images", "n_answers").unique().rows() == [(24, 192)]
    assert often["share"].to_list() == pytest.approx([swayed + (1 - swayed) / 8, *[(1 - swayed) / 8] * 7])
    assert often["expected_share"].to_list() == pytest.approx([1 / 8] * 8)
    assert often["ci_low"][0] > max(0, *often["ci_high"][1:])
    assert often["p_value"][0] == pytest.approx(1 / 10_001)

    changes = bias.filter(kind="order")
    assert changes.select("prompt", "compared_with").unique().rows() == [("negative_first", "simple")]
    effects = dict(changes.select("label", "effect").rows())
    assert effects == pytest.approx(dict.fromkeys(LABELS, 0) | {"amusement": -swayed, "anger": swayed})
    p_values = dict(changes.select("label", "p_value").rows())
    assert p_values["anger"] == p_values["amusement"] == pytest.approx(2 * 0.5 ** (24 * swayed))
    assert p_values["awe"] == 1

    with duckdb.connect(Warehouse.of(prepared).database, read_only=True) as connection:
        compared = connection.sql("select distinct prompt from marts.prompt_effects order by 1").fetchall()
    assert compared == [("label_permutation",), ("negative_first",)], "a prompt of four labels is easier than one of all"
