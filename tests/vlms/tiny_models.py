"""Random-weight checkpoints of the real model and processor classes, saved as users download them.

The tokenizer has one token for each printable ASCII character, so that the tokens of a prompt can be counted by eye, and the weights
are large enough that what is said depends on the picture and the question.
"""

import hashlib
import json
import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from eve_pipeline.accelerator import prepare_torch
from eve_pipeline.vlms.protocol import Request

prepare_torch()

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors  # noqa: E402 - torchvision comes after prepare_torch
from transformers import (  # noqa: E402
    AutoModelForImageTextToText,
    CLIPImageProcessor,
    Gemma3Config,
    Gemma3ImageProcessor,
    Gemma3Processor,
    GenerationConfig,
    GotOcr2ImageProcessor,
    Idefics3Config,
    Idefics3ImageProcessor,
    Idefics3Processor,
    InternVLConfig,
    InternVLProcessor,
    InternVLVideoProcessor,
    LlavaConfig,
    LlavaNextConfig,
    LlavaNextImageProcessor,
    LlavaNextProcessor,
    LlavaProcessor,
    PaliGemmaConfig,
    PaliGemmaProcessor,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLConfig,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
    SiglipImageProcessor,
    SmolVLMConfig,
    SmolVLMImageProcessor,
    SmolVLMProcessor,
    SmolVLMVideoProcessor,
)

CHARACTERS = string.printable[:95] + "\n"
SIDE = 32
PATCH = 8
SQUARE = {"height": SIDE, "width": SIDE}
LAYERS = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = LAYERS | {"image_size": SIDE, "patch_size": PATCH}
TEXT = LAYERS | {
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": False,
}

LLAVA = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
LLAVA_MISTRAL = (
    "{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' }}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] }}{% endfor %}{{ ' [/INST]' }}"
    "{% endif %}{% endfor %}"
)
LLAVA_VICUNA = (
    "{{ 'A chat between a curious human and an artificial intelligence assistant. ' }}"
    '{{ "The assistant gives helpful, detailed, and polite answers to the human\'s questions. " }}' + LLAVA
)
CHATML = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{% for content in message['content'] %}{% if content['type'] == 'image' %}IMAGE"
    "{% else %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>{{ message['role'] }}\n{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}<start_of_image>{% else %}{{ content['text'] | trim }}{% endif %}{% endfor %}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
IDEFICS = (
    "START{% for message in messages %}{{ message['role'] | capitalize }}{% if message['content'][0]['type'] == 'image' %}{{ ':' }}"
    "{% else %}{{ ': ' }}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


class Family(NamedTuple):
    """One family of models: its special tokens, its chat template, and how its configuration and processor are made."""

    specials: Sequence[str]
    end: str
    template: str | None
    configure: Callable[[Callable[[str], int], dict[str, Any]], Any]
    process: Callable[..., Any]
    bos: str | None = None
    eos: str | None = None
    pad: str | None = None
    is_template_json: bool = False
    named: dict[str, str] = {}  # noqa: RUF012 - never changed


def clip_images() -> CLIPImageProcessor:
    return CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SQUARE)


def llava_next(text_model: str) -> Callable[..., LlavaNextConfig]:
    return lambda ids, text: LlavaNextConfig(
        vision_config={"model_type": "clip_vision_model", **VISION},
        text_config={"model_type": text_model, **text},
        image_token_index=ids("<image>"),
        image_grid_pinpoints=PINPOINTS,
        image_seq_length=16,
    )


PINPOINTS = [[SIDE, 2 * SIDE], [2 * SIDE, SIDE], [2 * SIDE, 2 * SIDE], [3 * SIDE, SIDE], [SIDE, 3 * SIDE]]
LLAVA_PARTS = {"patch_size": PATCH, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
SPLITTING = {"size": {"longest_edge": 2 * SIDE}, "max_image_size": {"longest_edge": SIDE}}
QWEN_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
QWEN_TEMPLATE = CHATML.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
QWEN_PIXELS = {"patch_size": 4, "size": {"shortest_edge": 64, "longest_edge": 4096}}
IDEFICS_TOKENS = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>"]
IDEFICS_TOKENS += [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]


def llava_next_processor(tokenizer: PreTrainedTokenizerFast, template: str) -> LlavaNextProcessor:
    images = LlavaNextImageProcessor(size={"shortest_edge": SIDE}, crop_size=SQUARE, image_grid_pinpoints=PINPOINTS)
    return LlavaNextProcessor(images, tokenizer, chat_template=template, **LLAVA_PARTS)


def qwen_ids(ids: Callable[[str], int]) -> dict[str, int]:
    names = {"image_token_id": "image_pad", "video_token_id": "video_pad", "vision_start_token_id": "vision_start"}
    return {name: ids(f"<|{token}|>") for name, token in (names | {"vision_end_token_id": "vision_end"}).items()}


def qwen_2_5(ids: Callable[[str], int], text: dict[str, Any]) -> Qwen2_5_VLConfig:
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": 4, "window_size": 16}
    return Qwen2_5_VLConfig(
        vision_config=vision | {"out_hidden_size": 32, "fullatt_block_indexes": [1]},
        text_config=text | {"rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e4}},
        **qwen_ids(ids),
    )


def qwen_3(ids: Callable[[str], int], text: dict[str, Any]) -> Qwen3VLConfig:
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": 4, "num_position_embeddings": 64}
    rope = {"rope_type": "default", "mrope_section": [4, 2, 2], "mrope_interleaved": True, "rope_theta": 1e4}
    return Qwen3VLConfig(
        vision_config=vision | {"out_hidden_size": 32, "deepstack_visual_indexes": [0]},
        text_config=text | {"rope_parameters": rope},
        **qwen_ids(ids),
    )


def gemma_3(ids: Callable[[str], int], text: dict[str, Any]) -> Gemma3Config:
    return Gemma3Config(
        vision_config=VISION,
        text_config=text | {"query_pre_attn_scalar": 16, "sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"]},
        mm_tokens_per_image=4,
        boi_token_index=ids("<start_of_image>"),
        eoi_token_index=ids("<end_of_image>"),
        image_token_index=ids("<image_soft_token>"),
        tie_word_embeddings=False,
    )


def idefics(config: type) -> Callable[..., Any]:
    return lambda ids, text: config(
        vision_config=VISION,
        text_config={"model_type": "llama", **text},
        image_token_id=ids("<image>"),
        scale_factor=2,
        tie_word_embeddings=False,
    )


def internvl(ids: Callable[[str], int], text: dict[str, Any]) -> InternVLConfig:
    return InternVLConfig(
        vision_config=VISION | {"image_size": [SIDE, SIDE], "patch_size": [PATCH, PATCH]},
        text_config={"model_type": "qwen2", **text},
        image_token_id=ids("<IMG_CONTEXT>"),
        image_seq_length=4,
        tie_word_embeddings=False,
    )


def paligemma(ids: Callable[[str], int], text: dict[str, Any]) -> PaliGemmaConfig:
    return PaliGemmaConfig(
        vision_config={"model_type": "siglip_vision_model", **VISION, "projection_dim": 32, "vision_use_head": False},
        text_config={"model_type": "gemma", **text},
        image_token_index=ids("<image>"),
        projection_dim=32,
        hidden_size=32,
        vocab_size=text["vocab_size"],
        tie_word_embeddings=False,
    )


def paligemma_processor(tokenizer: PreTrainedTokenizerFast, template: None) -> PaliGemmaProcessor:
    images = SiglipImageProcessor(size=SQUARE)
    images.image_seq_length = 16
    return PaliGemmaProcessor(images, tokenizer, chat_template=template)


FAMILIES = {
    "llava-1.5": Family(
        ["<image>"],
        "</s>",
        LLAVA,
        lambda ids, text: LlavaConfig(
            vision_config={"model_type": "clip_vision_model", **VISION},
            text_config={"model_type": "llama", **text},
            image_token_index=ids("<image>"),
            image_seq_length=16,
        ),
        lambda tokenizer, template: LlavaProcessor(clip_images(), tokenizer, chat_template=template, **LLAVA_PARTS),
        bos="<s>",
        pad="<pad>",
        is_template_json=True,
    ),
    "llava-next-mistral": Family(["<image>"], "</s>", LLAVA_MISTRAL, llava_next("mistral"), llava_next_processor, bos="<s>", pad="<pad>"),
    "llava-next-vicuna": Family(["<image>"], "</s>", LLAVA_VICUNA, llava_next("llama"), llava_next_processor, bos="<s>", pad="<pad>"),
    "qwen2.5-vl": Family(
        QWEN_TOKENS,
        "<|im_end|>",
        QWEN_TEMPLATE,
        qwen_2_5,
        lambda tokenizer, template: Qwen2_5_VLProcessor(
            Qwen2VLImageProcessor(**QWEN_PIXELS), tokenizer, Qwen2VLVideoProcessor(patch_size=4), chat_template=template
        ),
        pad="<|endoftext|>",
        is_template_json=True,
    ),
    "qwen3-vl": Family(
        QWEN_TOKENS,
        "<|im_end|>",
        QWEN_TEMPLATE,
        qwen_3,
        lambda tokenizer, template: Qwen3VLProcessor(
            Qwen2VLImageProcessor(**QWEN_PIXELS), tokenizer, Qwen3VLVideoProcessor(patch_size=4), chat_template=template
        ),
        pad="<|endoftext|>",
        is_template_json=True,
    ),
    "gemma-3": Family(
        ["<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"],
        "<end_of_turn>",
        GEMMA,
        gemma_3,
        lambda tokenizer, template: Gemma3Processor(Gemma3ImageProcessor(size=SQUARE), tokenizer, template, image_seq_length=4),
        bos="<bos>",
        eos="<eos>",
        pad="<pad>",
        is_template_json=True,
        named={"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"},
    ),
    "idefics3": Family(
        ["<|end_of_text|>", *IDEFICS_TOKENS],
        "<end_of_utterance>",
        IDEFICS.replace("START", "<|begin_of_text|>"),
        idefics(Idefics3Config),
        lambda tokenizer, template: Idefics3Processor(Idefics3ImageProcessor(**SPLITTING), tokenizer, 4, chat_template=template),
        bos="<|begin_of_text|>",
        eos="<|end_of_text|>",
        is_template_json=True,
    ),
    "smolvlm": Family(
        ["<|im_start|>", "<|im_end|>", *IDEFICS_TOKENS],
        "<end_of_utterance>",
        IDEFICS.replace("START", "<|im_start|>"),
        idefics(SmolVLMConfig),
        lambda tokenizer, template: SmolVLMProcessor(
            SmolVLMImageProcessor(**SPLITTING), tokenizer, SmolVLMVideoProcessor(size={"longest_edge": SIDE}), 4, chat_template=template
        ),
        bos="<|im_start|>",
        eos="<|im_end|>",
        pad="<|im_end|>",
        is_template_json=True,
    ),
    "internvl": Family(
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>"],
        "<|im_end|>",
        CHATML.replace("IMAGE", "<IMG_CONTEXT>\n").replace("You are a helpful assistant.", "You are InternVL."),
        internvl,
        lambda tokenizer, template: InternVLProcessor(
            GotOcr2ImageProcessor(size=SQUARE, crop_to_patches=True, min_patches=1, max_patches=4),
            tokenizer,
            InternVLVideoProcessor(size=SQUARE),
            image_seq_length=4,
            chat_template=template,
        ),
        named={"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>", "video_token": "<video>"},
    ),
    "paligemma": Family(
        ["<image>"], "<eos>", None, paligemma, paligemma_processor, bos="<bos>", pad="<pad>", named={"image_token": "<image>"}
    ),
}


def build_tokenizer(family: Family) -> PreTrainedTokenizerFast:
    """Return a tokenizer of one token a character, with the family's special tokens; it begins every text with the family's first token."""
    letters = [pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(character)[0][0] for character in CHARACTERS]
    tokenizer = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    roles = {"bos_token": family.bos, "eos_token": family.eos or family.end, "pad_token": family.pad}
    named = {role: token for role, token in roles.items() if token}
    tokens = dict.fromkeys([*named.values(), family.end, *family.specials])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in tokens])
    if family.bos:
        first = (family.bos, tokenizer.token_to_id(family.bos))
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{family.bos} $A", special_tokens=[first])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named, extra_special_tokens=family.named, padding_side="right")


def build_model(family: Family, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """Return a model with large random weights that never says a special token."""
    torch.manual_seed(1)
    ids = tokenizer.convert_tokens_to_ids
    ends = [ids(token) for token in dict.fromkeys([family.eos or family.end, family.end])]
    text = TEXT | {"vocab_size": len(tokenizer), "bos_token_id": tokenizer.bos_token_id, "eos_token_id": ends[0]}
    model = AutoModelForImageTextToText.from_config(family.configure(ids, text | {"pad_token_id": tokenizer.pad_token_id}))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                weight.normal_(std=0.3 if "embed" in name else 2 / weight[0].numel() ** 0.5)
        model.get_output_embeddings().weight[len(CHARACTERS) :] = 0
    model.generation_config = GenerationConfig(eos_token_id=ends if len(ends) > 1 else ends[0], pad_token_id=tokenizer.pad_token_id)
    return model


def save_checkpoint(name: str, folder: Path) -> Path:
    """Save the family's tiny checkpoint, its chat template in the file in which the family's checkpoints have it, and return the folder."""
    family = FAMILIES[name]
    processor = family.process(build_tokenizer(family), family.template)
    build_model(family, processor.tokenizer).save_pretrained(folder)
    processor.save_pretrained(folder)
    if family.template and family.is_template_json:
        folder.joinpath("chat_template.jinja").unlink()
        folder.joinpath("chat_template.json").write_text(json.dumps({"chat_template": family.template}))
    return folder


def picture(file: Path, width: int, height: int) -> Path:
    """Save a picture of coloured squares, other ones for each size, and return its file."""
    rng = np.random.default_rng([width, height])
    squares = rng.integers(0, 256, (-(-height // 4), -(-width // 4), 3), dtype=np.uint8)
    Image.fromarray(squares.repeat(4, axis=0).repeat(4, axis=1)[:height, :width]).save(file)
    return file


def request_for(file: Path, prompt: str) -> Request:
    """Return the request to answer a prompt about a picture."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    key = hashlib.sha256((digest + prompt).encode()).hexdigest()
    return Request(request_key=key, image=file, image_sha256=digest, prompt=prompt, seed=0)
