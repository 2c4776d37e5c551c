"""Loading: on one device or spread over several, and what cannot be loaded says why."""

import json
import shutil
from pathlib import Path

import pytest

from eve_pipeline.accelerator import prepare_torch
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.backends.transformers import TransformersVlm
from eve_pipeline.vlms.checkpoints import Checkpoint, input_device, load_checkpoint
from eve_pipeline.vlms.protocol import open_vlm
from eve_pipeline.vlms.registry import ModelEntry, Parameters
from tests.vlms.tiny_models import picture, request_for, save_checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint("llava-1.5", tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def entry_of(folder: Path) -> ModelEntry:
    return ModelEntry(key="tiny", backend="transformers", id="tiny", path=folder, parameters=Parameters(max_new_tokens=12))


def texts(folder: Path, checkpoint: Checkpoint, pictures: Path) -> list[str | None]:
    requests = [request_for(picture(pictures / f"{side}.png", side, 40), "Which emotion?") for side in (24, 40, 56)]
    replies = list(TransformersVlm(entry_of(folder), checkpoint).respond(requests))
    assert {reply.delivery for reply in replies} == {"received"}, replies[0].error
    return [reply.text for reply in replies]


def test_a_spread_model_says_what_a_whole_one_says(folder: Path, tmp_path: Path):
    """Here over memory and disk, as over several GPUs: accelerate moves what each part needs to where it computes."""
    prepare_torch()
    from transformers import AutoModelForImageTextToText

    whole = load_checkpoint(entry_of(folder), Settings(device="cpu"))
    places = {"model.vision_tower": "cpu", "model.multi_modal_projector": "disk", "model.language_model.embed_tokens": "disk"}
    places |= {"model.language_model.layers.0": "cpu", "model.language_model.layers.1": "disk", "model.language_model.norm": "cpu"}
    model = AutoModelForImageTextToText.from_pretrained(
        folder, device_map=places | {"model.language_model.rotary_emb": "cpu", "lm_head": "disk"}, offload_folder=tmp_path / "offloaded"
    )
    assert model.get_input_embeddings().weight.device.type == "meta"
    assert input_device(model) == "cpu"
    assert texts(folder, Checkpoint(whole.processor, model.eval()), tmp_path) == texts(folder, whole, tmp_path)


def test_auto_spreads_a_model_over_what_there_is(folder: Path, tmp_path: Path):
    spread = load_checkpoint(entry_of(folder), Settings(device="auto"))
    assert texts(folder, spread, tmp_path) == texts(folder, load_checkpoint(entry_of(folder), Settings()), tmp_path)


def test_a_checkpoint_without_a_chat_template_is_refused_with_what_to_do(copy: Path):
    (copy / "chat_template.json").unlink()
    with pytest.raises(EveError, match=r"'tiny'.*has no usable chat template") as caught, open_vlm(entry_of(copy), Settings()):
        pass
    assert "chat_template.jinja" in caught.value.hint


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{% for message in messages %}{{ message['content'][-1]['text'] }}{% endfor %}", "without a place for a picture"),
        ("{% for message in messages %}{{ 'USER: ' + message['content'] }}{% endfor %}", "has no usable chat template"),
    ],
)
def test_a_template_for_text_alone_is_refused(copy: Path, template: str, told: str):
    (copy / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    with pytest.raises(EveError, match=told), open_vlm(entry_of(copy), Settings()):
        pass


def test_an_incomplete_checkpoint_says_what_is_missing(copy: Path):
    (copy / "processor_config.json").unlink()
    with pytest.raises(EveError, match=r"'tiny'.*cannot be loaded.*Can't load image processor"):
        load_checkpoint(entry_of(copy), Settings())


def test_an_architecture_that_transformers_lacks_is_named(copy: Path):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"model_type": "qwen_vl_of_old"}))
    with pytest.raises(EveError, match=r"'tiny'.*cannot be loaded by transformers 5.*qwen_vl_of_old") as caught:
        load_checkpoint(entry_of(copy), Settings())
    assert "base_url" in caught.value.hint


def test_a_model_without_safetensors_is_not_unpickled(copy: Path):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(EveError, match=r"'tiny'.*safetensors"):
        load_checkpoint(entry_of(copy), Settings())
