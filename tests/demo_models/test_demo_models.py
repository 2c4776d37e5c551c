"""The committed demo models: the Auto classes load them, they answer in JSON, and batching changes no answer."""

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from eve_pipeline.accelerator import prepare_torch
from eve_pipeline.datasets.drawing import EMOTIONS, draw_random_picture
from eve_pipeline.emotions.affect import sentiments
from eve_pipeline.emotions.label_sets import label_sets
from eve_pipeline.prompts.rendering import render
from eve_pipeline.prompts.variants import prompt_variants
from eve_pipeline.settings import PROJECT, Settings

MODELS = PROJECT / "assets_data" / "demo_models"
SETTINGS = Settings()
VARIANTS = prompt_variants(SETTINGS)


@pytest.fixture(scope="module", params=["demo-llava-small", "demo-llava-base"])
def folder(request: pytest.FixtureRequest) -> Path:
    return MODELS / request.param


@pytest.fixture(scope="module")
def ask(folder):
    """A function that returns the replies to (picture, text) pairs, generated as one batch."""
    prepare_torch()
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()

    def replies(pairs):
        chats = [
            processor.apply_chat_template(
                [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}], add_generation_prompt=True
            )
            for _, text in pairs
        ]
        inputs = processor(images=[picture for picture, _ in pairs], text=chats, return_tensors="pt", padding=True)
        with torch.inference_mode():
            ids = model.generate(**inputs)
        return processor.batch_decode(ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)

    return replies


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(99)
    return [draw_random_picture(emotion, rng).image for emotion in EMOTIONS]


def text_of(key: str) -> str:
    return next(iter(render(VARIANTS[key], label_sets(SETTINGS)["abstract"], sentiments(SETTINGS)))).text


def test_a_model_is_small_and_in_half_precision(folder):
    from safetensors import safe_open

    assert sum(file.stat().st_size for file in folder.iterdir()) <= 6_000_000
    with safe_open(folder / "model.safetensors", "pt") as weights:
        assert {weights.get_tensor(name).dtype for name in weights.keys()} == {torch.float16}  # noqa: SIM118 - not a dict


def test_it_is_a_llava(folder):
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["LlavaForConditionalGeneration"]
    assert (config["vision_config"]["model_type"], config["text_config"]["model_type"]) == ("clip_vision_model", "llama")


@pytest.mark.parametrize("key", VARIANTS)
def test_every_prompt_is_answered_in_json_with_its_keys(ask, pictures, key):
    for reply in ask([(picture, text_of(key)) for picture in pictures]):
        answer = json.loads(reply)
        assert list(answer) == re.findall(r'"([^"]+)": "<', VARIANTS[key].text)
        assert all(answer.values())


def test_labels_are_copied_from_the_list(ask, pictures):
    """Over eight pictures of eight emotions, `mikels` brings its own spellings and never those of `abstract`."""
    mikels = label_sets(SETTINGS)["mikels"]
    text = next(iter(render(VARIANTS["simple"], mikels, sentiments(SETTINGS)))).text
    said = {json.loads(reply)["prediction"] for reply in ask([(picture, text) for picture in pictures])}
    assert said <= set(mikels)
    assert len(said) > 3


def test_a_batch_gives_the_answers_of_one_at_a_time(ask, pictures):
    pairs = [(picture, text_of(key)) for picture, key in zip(pictures, VARIANTS, strict=False)]
    lengths = [len(text) for _, text in pairs]
    assert any(shorter != longer for shorter, longer in pairwise(lengths)), "prompts of one length would not test the padding"
    assert ask(pairs) == [reply for pair in pairs for reply in ask([pair])]
