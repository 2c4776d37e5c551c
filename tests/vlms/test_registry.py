from collections.abc import Callable

import pytest

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.registry import ModelEntry, model_entries, model_entry

PAPER = {
    "gpt-4o",
    "llava-1-5-7b",
    "llava-1-5-13b",
    "llava-next-vicuna-7b",
    "llava-next-vicuna-13b",
    "llava-next-mistral-7b",
    "qwen-vl-chat",
}


def test_the_papers_seven_and_a_dozen_more_are_shipped(settings: Settings):
    entries = model_entries(settings)
    assert set(entries) >= PAPER
    assert len(set(entries) - PAPER - {"demo-llava-small", "demo-llava-base"}) >= 12


def test_a_users_entry_replaces_a_shipped_one(settings: Settings, add_model: Callable[..., None]):
    add_model("gpt-4o", backend="openai", id="gpt-4o-2024-11-20")
    assert model_entry("gpt-4o", settings).id == "gpt-4o-2024-11-20"


def test_a_path_is_relative_to_the_file_of_its_entry(settings: Settings, add_model: Callable[..., None]):
    add_model("mine", backend="transformers", id="mine", path="checkpoints/mine")
    assert model_entry("mine", settings).path == settings.home / "checkpoints" / "mine"


@pytest.mark.parametrize(
    ("key", "fields", "told"),
    [
        ("Bad Key", {"backend": "openai", "id": "x"}, "String should match pattern"),
        ("a.b", {"backend": "openai", "id": "x"}, "String should match pattern"),
        ("m", {"backend": "fortran", "id": "x"}, "backend: Value error, known are openai, openai_batch, transformers"),
        ("m", {"backend": "openai", "id": "x", "temprature": 1}, "temprature: Extra inputs"),
        ("m", {"backend": "transformers", "id": "x", "trust_remote_code": True}, "trust_remote_code needs a revision"),
        ("m", {"backend": "openai", "id": "x", "revision": ""}, "revision: Value error, a revision is not empty"),
        ("m", {"backend": "openai", "id": "x", "revision": " "}, "revision: Value error, a revision is not empty"),
        ("m", {"backend": "openai", "id": "x", "automation": {"max_usd_per_month": float("inf")}}, "max_usd_per_month: .*finite number"),
        ("m", {"backend": "openai", "id": "x", "automation": {"max_usd_per_month": float("nan")}}, "max_usd_per_month: .*finite number"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_field(
    settings: Settings, add_model: Callable[..., None], key: str, fields: dict[str, object], told: str
):
    add_model(key, **fields)
    with pytest.raises(EveError, match=told):
        model_entries(settings).complete()


def test_an_unknown_model_lists_the_known_ones(settings: Settings):
    with pytest.raises(EveError, match="Known: demo-llava-small"):
        model_entry("nobody", settings)


def test_greedy_is_temperature_zero():
    assert ModelEntry.model_validate({"key": "m", "backend": "openai", "id": "x"}).is_greedy
    assert not ModelEntry.model_validate({"key": "m", "backend": "openai", "id": "x", "parameters": {"temperature": None}}).is_greedy
