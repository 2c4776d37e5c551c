"""Train the two demo models and measure them: `python assets_data/demo_models/train.py`, about twenty minutes on two cores.

Both are LLaVA checkpoints like llava-hf/llava-1.5-7b-hf, only tiny. The vision tower first learns to predict the viewers' votes on drawn
pictures; then the language model learns to answer the prompts, each answer being the emotion of one viewer drawn from those votes.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from PIL import Image
from teacher import OTHER_NAMES, Teacher, expected_keys

from eve_pipeline.accelerator import prepare_torch
from eve_pipeline.datasets.drawing import EMOTIONS, draw_dataset, draw_random_picture
from eve_pipeline.emotions.label_sets import label_sets
from eve_pipeline.prompts.variants import PromptVariant
from eve_pipeline.settings import Settings

prepare_torch()

from sklearn.metrics import f1_score  # noqa: E402
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: E402
from transformers import (  # noqa: E402 - torchvision must not be imported before prepare_torch
    AutoModelForImageTextToText,
    AutoProcessor,
    CLIPImageProcessor,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

HERE = Path(__file__).resolve().parent
SIDE = 64
BATCH = 64
SPECIAL_TOKENS = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | upper }}: "
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% if not loop.last %} {% endif %}{% endfor %}{% if add_generation_prompt %} ASSISTANT: {% endif %}"
)


class Size(NamedTuple):
    """How large a model is and how long it learns."""

    patch: int
    vision_width: int
    vision_layers: int
    text_width: int
    text_layers: int
    vision_steps: int
    text_steps: int


SIZES = {"small": Size(32, 8, 1, 96, 2, 8, 700), "base": Size(16, 128, 4, 192, 3, 1000, 1000)}


def conversation(text: str) -> list[dict[str, Any]]:
    """Return a chat of one user turn with one image."""
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}]


class Pictures(NamedTuple):
    """Pictures as (n, 64, 64, 3) bytes, and vote shares as (n, 8)."""

    pixels: np.ndarray
    shares: np.ndarray


def draw_part(part: int, count: int) -> Pictures:
    """Return `count` small pictures; each part has its own random stream."""
    rng = np.random.default_rng([1000, part])
    drawn = [draw_random_picture(EMOTIONS[i % len(EMOTIONS)], rng) for i in range(count)]
    small = [np.asarray(picture.image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for picture in drawn]
    return Pictures(np.stack(small), np.stack([picture.vote_shares for picture in drawn]))


def draw_pictures(count: int) -> Pictures:
    """Return pictures to learn from, none of which is in the sample dataset."""
    with ProcessPoolExecutor(2) as pool:
        parts = list(pool.map(draw_part, range(8), [count // 8] * 8))
    return Pictures(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def build_processor(texts: Iterable[str], patch: int) -> LlavaProcessor:
    """Return image processor, tokenizer trained on `texts`, and chat template in one."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=1200, special_tokens=[*SPECIAL_TOKENS.values(), "<image>"], initial_alphabet=alphabet)
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL_TOKENS, padding_side="left", model_max_length=1024)
    images = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    return LlavaProcessor(
        image_processor=images,
        tokenizer=fast,
        patch_size=patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )


def build_model(size: Size, tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    """Return an untrained model."""
    vision = CLIPVisionConfig(
        hidden_size=size.vision_width,
        intermediate_size=3 * size.vision_width,
        num_hidden_layers=size.vision_layers,
        num_attention_heads=max(1, size.vision_width // 32),
        image_size=SIDE,
        patch_size=size.patch,
        projection_dim=size.vision_width,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.text_width,
        intermediate_size=5 * size.text_width // 2,
        num_hidden_layers=size.text_layers,
        num_attention_heads=size.text_width // 32,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=vision,
            text_config=text,
            image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
            image_seq_length=(SIDE // size.patch) ** 2,
            vision_feature_layer=-1,
            vision_feature_select_strategy="default",
            tie_word_embeddings=True,
        )
    )
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=128,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return model


class Lessons:
    """Random batches of pictures, prompts and answers as tensors."""

    def __init__(self, pictures: Pictures, teacher: Teacher, processor: LlavaProcessor, seed: int) -> None:
        self._pictures, self._teacher, self._processor = pictures, teacher, processor
        self._rng = np.random.default_rng(seed)
        self._tokens: dict[str, list[int]] = {}

    def pictures(self, count: int) -> tuple[torch.Tensor, np.ndarray]:
        """Return pixel values, mirrored at random and slightly shifted in brightness, and vote shares."""
        chosen = self._rng.integers(len(self._pictures.pixels), size=count)
        images = self._processor.image_processor
        pixels = self._pictures.pixels[chosen] / 255 + self._rng.normal(0, 0.03, (count, 1, 1, 3))
        pixels = np.where(self._rng.random((count, 1, 1, 1)) < 0.5, pixels, pixels[:, :, ::-1])  # noqa: PLR2004 - a fair coin
        values = (pixels - images.image_mean) / images.image_std
        return torch.tensor(values.transpose(0, 3, 1, 2), dtype=torch.float32), self._pictures.shares[chosen]

    def batch(self, count: int) -> dict[str, torch.Tensor]:
        """Return a batch that asks one variant; only the answers count in the loss."""
        values, shares = self.pictures(count)
        variant = list(self._teacher.variants.values())[self._rng.integers(len(self._teacher.variants))]
        rows = []
        for row in shares:
            question = self._teacher.question(variant, self._rng)
            asked, said = self._prompt(question.text), self._teacher.answer(question, row, self._rng)
            answer = [*self._encode(said), self._processor.tokenizer.eos_token_id]
            rows.append((asked + answer, [-100] * len(asked) + answer))
        ids, labels = (
            torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in column], True, padding)
            for column, padding in zip(zip(*rows, strict=True), (self._processor.tokenizer.pad_token_id, -100), strict=True)
        )
        mask = (ids != self._processor.tokenizer.pad_token_id).long()
        return {"input_ids": ids, "attention_mask": mask, "labels": labels, "pixel_values": values}

    def _prompt(self, text: str) -> list[int]:
        chat = self._processor.apply_chat_template(conversation(text), add_generation_prompt=True)
        return self._encode(chat.replace("<image>", "<image>" * (SIDE // self._processor.patch_size) ** 2))

    def _encode(self, text: str) -> list[int]:
        if text not in self._tokens:
            self._tokens[text] = self._processor.tokenizer(text)["input_ids"]
        return self._tokens[text]


def descend(parameters: Iterable[torch.nn.Parameter], losses: Iterator[torch.Tensor], steps: int, rate: float, name: str) -> None:
    """Follow the gradient of `steps` losses with AdamW, a warm-up and a cosine decay."""
    parameters = list(parameters)
    optimizer = torch.optim.AdamW(parameters, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
    start, recent = time.perf_counter(), []
    for step in range(1, steps + 1):
        loss = next(losses)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        recent.append(loss.item())
        if step % 250 == 0:
            print(f"{name} step {step}/{steps} loss {np.mean(recent[-250:]):.3f} {time.perf_counter() - start:.0f} s", flush=True)


def teach_to_see(model: LlavaForConditionalGeneration, lessons: Lessons, steps: int) -> None:
    """Let the vision tower predict the votes through a head that is thrown away afterwards."""
    tower = model.model.vision_tower
    head = torch.nn.Linear(tower.config.hidden_size, len(EMOTIONS))

    def losses() -> Iterator[torch.Tensor]:
        while True:
            values, shares = lessons.pictures(2 * BATCH)
            with torch.autocast("cpu", torch.bfloat16):
                scores = head(tower(values).last_hidden_state[:, 1:].mean(1))
            yield torch.nn.functional.cross_entropy(scores.float(), torch.tensor(shares, dtype=torch.float32))

    descend([*tower.parameters(), *head.parameters()], losses(), steps, 1e-3, "vision")


def teach_to_answer(model: LlavaForConditionalGeneration, lessons: Lessons, steps: int) -> None:
    """Let the language model answer the prompts; the vision tower stays as it is."""
    model.model.vision_tower.requires_grad_(False)
    model.set_attn_implementation("eager")  # twice as fast as sdpa for the backward pass on a CPU

    def losses() -> Iterator[torch.Tensor]:
        while True:
            with torch.autocast("cpu", torch.bfloat16):
                yield model(**lessons.batch(BATCH)).loss

    descend([p for p in model.parameters() if p.requires_grad], losses(), steps, 2e-3, "answers")


class Score(NamedTuple):
    """How one model does on one variant; an emotion that is not spelt as in the list is wrong, except where no list was shown."""

    model: str
    prompt: str
    valid_json: float
    in_list: float
    weighted_f1: float
    seconds: float


def read_sample(folder: Path) -> tuple[list[Image.Image], list[str]]:
    """Return the sample dataset's pictures that have one emotion with most votes, and that emotion's label."""
    votes = pl.read_csv(folder / "ABSTRACT_groundTruth.csv", quote_char="'")
    images, truths = [], []
    for name, *counts in votes.iter_rows():
        if counts.count(max(counts)) == 1:
            images.append(Image.open(folder / name).convert("RGB"))
            truths.append(votes.columns[1:][counts.index(max(counts))].lower())
    return images, truths


@torch.inference_mode()
def generate(model: PreTrainedModel, processor: LlavaProcessor, images: Sequence[Image.Image], text: str) -> list[str]:
    """Return the greedy replies to one prompt about each image."""
    chat = processor.apply_chat_template(conversation(text), add_generation_prompt=True)
    replies = []
    for first in range(0, len(images), BATCH):
        part = list(images[first : first + BATCH])
        inputs = processor(images=part, text=[chat] * len(part), return_tensors="pt", padding=True)
        ids = model.generate(**inputs)
        replies += processor.batch_decode(ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return replies


def parse(reply: str, variant: PromptVariant) -> str | None:
    """Return the emotion of a reply that is JSON with exactly the keys asked for, else None."""
    try:
        answer = json.loads(reply)
    except json.JSONDecodeError:
        return None
    return str(answer[variant.answer_key]) if isinstance(answer, dict) and list(answer) == expected_keys(variant) else None


def measure(name: str, folder: Path, teacher: Teacher) -> Iterator[Score]:
    """Yield a saved model's scores on each variant."""
    processor = AutoProcessor.from_pretrained(HERE / name)
    model = AutoModelForImageTextToText.from_pretrained(HERE / name, dtype=torch.float32).eval()
    images, truths = read_sample(folder)
    labels = label_sets(Settings())["abstract"]
    for key, variant in teacher.variants.items():
        start = time.perf_counter()
        answers = [parse(reply, variant) for reply in generate(model, processor, images, teacher.ask(variant, labels))]
        spelling = OTHER_NAMES["abstract"] if variant.is_open else {}
        said = [spelling.get(answer or "", answer or "none") for answer in answers]
        score = f1_score(truths, said, labels=labels, average="weighted", zero_division=0)
        shares = np.mean([answer is not None for answer in answers]), np.mean([answer in labels for answer in said])
        yield Score(name, key, *shares, score, time.perf_counter() - start)


def train(name: str, size: Size, pictures: Pictures, teacher: Teacher) -> None:
    """Train one model and save it in float16."""
    torch.manual_seed(size.text_width)
    rng = np.random.default_rng(0)
    questions = [teacher.question(variant, rng) for variant in teacher.variants.values() for _ in range(60)]
    texts = [text for question in questions for text in (question.text, teacher.answer(question, np.full(8, 0.125), rng))]
    processor = build_processor([*texts, *sum(label_sets(Settings()).values(), ()), "USER: ASSISTANT: "], size.patch)
    model = build_model(size, processor.tokenizer)
    lessons = Lessons(pictures, teacher, processor, seed=size.text_width)
    teach_to_see(model, lessons, size.vision_steps)
    teach_to_answer(model, lessons, size.text_steps)
    model.half().save_pretrained(HERE / name)
    processor.save_pretrained(HERE / name)
    (HERE / name / "model.safetensors").chmod(0o644)


def main() -> None:
    """Train the models asked for and print the table of all that are there."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("sizes", nargs="*", help="which models to train; all by default")
    options.add_argument("--pictures", type=int, default=16_000, help="how many pictures to learn from")
    options.add_argument("--measure", action="store_true", help="measure the saved models, train nothing")
    options.add_argument("--threads", type=int, default=2, help="torch threads")
    chosen = options.parse_args()
    chosen.sizes = chosen.sizes or list(SIZES)
    torch.set_num_threads(chosen.threads)
    teacher = Teacher(Settings())
    if not chosen.measure:
        pictures = draw_pictures(chosen.pictures)
        for key in chosen.sizes:
            train(f"demo-llava-{key}", SIZES[key], pictures, teacher)
    with tempfile.TemporaryDirectory() as folder:
        draw_dataset(Path(folder) / "sample", seed=7, per_emotion=64)
        print("| model | prompt | valid JSON | in the list | weighted F1 | seconds |\n|---|---|---|---|---|---|")
        for key in chosen.sizes:
            for score in measure(f"demo-llava-{key}", Path(folder) / "sample", teacher):
                row = f"{score.valid_json:.1%} | {score.in_list:.1%} | {score.weighted_f1:.3f} | {score.seconds:.1f}"
                print(f"| {score.model} | {score.prompt} | {row} |", flush=True)


if __name__ == "__main__":
    main()
