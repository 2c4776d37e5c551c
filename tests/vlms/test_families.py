"""Every family of models that the project names, on tiny checkpoints of the real classes: templates, image tokens, padding, stops."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from eve_pipeline.settings import Settings
from eve_pipeline.vlms.backends.transformers import TransformersVlm
from eve_pipeline.vlms.chats import check_chat_template, encode
from eve_pipeline.vlms.checkpoints import Checkpoint, load_checkpoint
from eve_pipeline.vlms.protocol import Reply, Request
from eve_pipeline.vlms.registry import Limits, ModelEntry, Parameters
from tests.vlms.tiny_models import FAMILIES, picture, request_for, save_checkpoint

ASKED = "Which emotion?"
LONGER = "Which one of these emotions does the picture evoke: awe, fear?"

# Width x height of a picture, and how many image tokens it must become. Tiles and patches: tests/vlms/tiny_models.py.
# LLaVA-1.5, Gemma 3 and PaliGemma make every picture 32 x 32, 16 patches of 8 x 8; Gemma 3 pools 2 x 2 of them.
# LLaVA-Next: 4 x 4 of the whole, then the patches of the best grid of 32-pixel tiles without its padding, and one token at each row's end:
#   16 + 8 * 8 + 8, 16 + 4 * 8 + 4, 16 + 8 * 4 + 8, 16 + 4 * 12 + 4, and 16 + 2 * 12 + 2 (two of four rows are padding).
# Qwen: sides are rounded to multiples of 8 = 2 merged patches of 4: 8 * 8, 8 * 4, 2 * 6, 12 * 4, 12 * 1.
# Idefics3, SmolVLM: longer side 64, cut into tiles of 32, and the whole as one more; 4 tokens each: (4 + 1) * 4, then (2 + 1) * 4.
# InternVL: the grid of at most 4 tiles nearest in shape, and the whole as one more; 4 tokens each: (2 * 2 + 1) * 4, 2, 2, 3 and 4 tiles.
SIZES = [(64, 64), (64, 32), (20, 44), (100, 30), (96, 10)]
IMAGE_TOKENS = {
    "llava-1.5": [16, 16, 16, 16, 16],
    "llava-next-mistral": [88, 52, 56, 68, 42],
    "llava-next-vicuna": [88, 52, 56, 68, 42],
    "qwen2.5-vl": [64, 32, 12, 48, 12],
    "qwen3-vl": [64, 32, 12, 48, 12],
    "gemma-3": [4, 4, 4, 4, 4],
    "idefics3": [20, 12, 12, 12, 12],
    "smolvlm": [20, 12, 12, 12, 12],
    "internvl": [20, 12, 12, 16, 20],
    "paligemma": [16, 16, 16, 16, 16],
}
CURIOUS = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions. "
)
FAKE, FOUR = "<fake_token_around_image>", "<image>" * 4
TILES = "\n".join("".join(f"{FAKE}<row_{row}_col_{column}>{FOUR}" for column in (1, 2)) for row in (1, 2))
QWEN_PROMPT = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|>"
    + "<|image_pad|>" * 64
    + "<|vision_end|>Which emotion?<|im_end|>\n<|im_start|>assistant\n"
)
PROMPTS = {  # of the first picture
    "llava-1.5": "<s>USER: " + "<image>" * 16 + "\nWhich emotion? ASSISTANT:",
    "llava-next-mistral": "<s>[INST] " + "<image>" * 88 + "\nWhich emotion? [/INST]",
    "llava-next-vicuna": f"<s>{CURIOUS}USER: " + "<image>" * 88 + "\nWhich emotion? ASSISTANT:",
    "qwen2.5-vl": QWEN_PROMPT,
    "qwen3-vl": QWEN_PROMPT,
    "gemma-3": "<bos><start_of_turn>user\n\n\n<start_of_image>"
    + "<image_soft_token>" * 4
    + "<end_of_image>\n\nWhich emotion?<end_of_turn>\n<start_of_turn>model\n",
    "idefics3": f"<|begin_of_text|>User:{TILES}\n\n{FAKE}<global-img>{FOUR}{FAKE}Which emotion?<end_of_utterance>\nAssistant:",
    "smolvlm": f"<|im_start|>User:{TILES}\n\n{FAKE}<global-img>{FOUR}{FAKE}Which emotion?<end_of_utterance>\nAssistant:",
    "internvl": "<|im_start|>system\nYou are InternVL.<|im_end|>\n<|im_start|>user\n<img>"
    + "<IMG_CONTEXT>" * 20
    + "</img>\nWhich emotion?<|im_end|>\n<|im_start|>assistant\n",
    "paligemma": "<image>" * 16 + "<bos>Which emotion?\n",
}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def entry(family: str, tmp_path_factory: pytest.TempPathFactory) -> ModelEntry:
    folder = save_checkpoint(family, tmp_path_factory.mktemp("checkpoint"))
    return ModelEntry(key="tiny", backend="transformers", id=family, path=folder, parameters=Parameters(max_new_tokens=24))


@pytest.fixture(scope="module")
def checkpoint(entry: ModelEntry) -> Checkpoint:
    return load_checkpoint(entry, Settings(device="cpu"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    return [picture(folder / f"{width}x{height}.png", width, height) for width, height in SIZES]


def respond(entry: ModelEntry, checkpoint: Checkpoint, requests: Sequence[Request], batch_size: int = 4) -> list[Reply]:
    """Return the replies in the order of the requests."""
    vlm = TransformersVlm(entry.model_copy(update={"limits": Limits(batch_size=batch_size)}), checkpoint)
    replies = {reply.request_key: reply for reply in vlm.respond(requests)}
    return [replies[request.request_key] for request in requests]


def test_the_checkpoint_has_a_place_for_the_picture(entry: ModelEntry, checkpoint: Checkpoint):
    check_chat_template(checkpoint.processor, entry)


def test_a_picture_becomes_as_many_tokens_as_it_has_patches(family: str, checkpoint: Checkpoint, pictures: list[Path]):
    inputs = encode(checkpoint.processor, [ASKED] * len(pictures), [Image.open(file) for file in pictures])
    counts = (inputs["input_ids"] == checkpoint.model.config.image_token_id).sum(dim=1).tolist()
    assert counts == IMAGE_TOKENS[family]


def test_the_prompt_is_the_one_that_the_family_was_trained_on(family: str, checkpoint: Checkpoint, pictures: list[Path]):
    [tokens] = encode(checkpoint.processor, [ASKED], [Image.open(pictures[0])])["input_ids"]
    assert checkpoint.processor.tokenizer.decode(tokens) == PROMPTS[family]


def test_shorter_prompts_are_padded_on_the_left(checkpoint: Checkpoint, pictures: list[Path]):
    image = Image.open(pictures[0])
    mask = encode(checkpoint.processor, [ASKED, LONGER], [image, image])["attention_mask"]
    n_padding = len(LONGER) - len(ASKED)
    assert mask[0].tolist() == [0] * n_padding + [1] * (mask.shape[1] - n_padding)
    assert mask[1].all()


def test_a_batch_says_what_each_picture_alone_is_told(entry: ModelEntry, checkpoint: Checkpoint, pictures: list[Path]):
    requests = [request_for(file, prompt) for file in pictures for prompt in (ASKED, LONGER)]
    together, alone = (respond(entry, checkpoint, requests, batch_size=size) for size in (4, 1))
    for one, other in zip(together, alone, strict=True):
        assert one.delivery == "received", one.error
        assert (one.text, one.prompt_tokens, one.completion_tokens) == (other.text, other.prompt_tokens, other.completion_tokens)
    assert len({reply.text for reply in together}) == len(requests), "the reply depends on picture and question"


def test_a_reply_ends_where_the_family_ends_its_turns(family: str, entry: ModelEntry, checkpoint: Checkpoint, pictures: list[Path]):
    """The weights of a character that the first reply holds become those of the end of a turn."""
    requests = [request_for(file, ASKED) for file in pictures]
    endless = respond(entry, checkpoint, requests)
    assert {reply.finish_reason for reply in endless} == {"length"}
    ending = (endless[0].text or "")[5]
    tokenizer = checkpoint.processor.tokenizer
    rows = [tokenizer(ending, add_special_tokens=False)["input_ids"][0], tokenizer.convert_tokens_to_ids(FAMILIES[family].end)]
    weight = checkpoint.model.get_output_embeddings().weight
    with torch.no_grad():
        weight[rows] = weight[rows[::-1]]
        replies = respond(entry, checkpoint, requests)
        weight[rows] = weight[rows[::-1]]
    for before, after in zip(endless, replies, strict=True):
        said, end, _ = (before.text or "").partition(ending)
        assert (after.text, after.finish_reason) == (said.strip(), "stop" if end else "length")
    assert (replies[0].finish_reason, replies[0].completion_tokens) == ("stop", len(endless[0].text.partition(ending)[0]) + 1)  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_pictures_of_every_mode_are_answered(entry: ModelEntry, checkpoint: Checkpoint, tmp_path: Path, mode: str):
    pixels = np.linspace(0, 255, 40 * 28).reshape(28, 40)
    image = Image.fromarray((pixels * 257).astype(np.uint16)) if mode == "I;16" else Image.fromarray(pixels.astype(np.uint8)).convert(mode)
    image.save(tmp_path / "odd.tiff")
    [reply] = respond(entry, checkpoint, [request_for(tmp_path / "odd.tiff", ASKED)])
    assert reply.delivery == "received", reply.error


def test_a_line_of_pixels_is_answered_or_fails_alone(
    family: str, entry: ModelEntry, checkpoint: Checkpoint, pictures: list[Path], tmp_path: Path
):
    line = picture(tmp_path / "line.png", 300, 1)
    replies = respond(entry, checkpoint, [request_for(file, ASKED) for file in [*pictures[:3], line]])
    is_refused = family in {"qwen2.5-vl", "qwen3-vl"}
    assert [reply.delivery for reply in replies] == ["received"] * 3 + ["error" if is_refused else "received"]
    assert ("absolute aspect ratio must be smaller than 200" in (replies[3].error or "")) == is_refused
