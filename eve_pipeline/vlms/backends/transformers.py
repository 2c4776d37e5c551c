"""Any image-text-to-text model that transformers can load, from the hub or a folder, answered in batches."""

import io
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

from PIL import Image

from eve_pipeline.accelerator import prepare_torch
from eve_pipeline.pictures import to_rgb
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.batching import Halving, ahead, free_memory, is_out_of_memory
from eve_pipeline.vlms.chats import check_chat_template, encode
from eve_pipeline.vlms.checkpoints import Checkpoint, input_device, load_checkpoint
from eve_pipeline.vlms.images import read_image
from eve_pipeline.vlms.protocol import Reply, Request
from eve_pipeline.vlms.registry import ModelEntry
from eve_pipeline.vlms.sampling import decoding

MEMORY_ADVICE = (
    "One image alone needs more memory than there is. Give the entry dtype: bfloat16 or fewer max_new_tokens, "
    "or set EVE_DEVICE=auto (all GPUs, then memory) or EVE_DEVICE=cpu. "
)


@contextmanager
def open_vlm(entry: ModelEntry, settings: Settings) -> Iterator["TransformersVlm"]:
    """Load the entry's checkpoint and release its memory afterwards."""
    prepare_torch()
    from transformers.utils.logging import disable_progress_bar

    if not sys.stderr.isatty():
        disable_progress_bar()
    checkpoint = load_checkpoint(entry, settings)
    check_chat_template(checkpoint.processor, entry)
    vlm = TransformersVlm(entry, checkpoint)
    try:
        yield vlm
    finally:
        del vlm, checkpoint
        free_memory()


class Question(NamedTuple):
    """A request with its picture, read and upright."""

    request: Request
    image: Image.Image


class Batch(NamedTuple):
    """What a batch of requests came to before the model saw it; `inputs` is None where its tensors could not be made."""

    questions: list[Question]
    failed: list[Reply]
    inputs: Any


class TransformersVlm:
    """A loaded checkpoint; its processor's chat template turns an image and a question into the model's own prompt."""

    def __init__(self, entry: ModelEntry, checkpoint: Checkpoint) -> None:
        self.entry = entry
        self.processor, self.model = checkpoint
        self.answers = Halving(entry.limits.batch_size, self._answer, _give_up)
        self.is_ahead = self.device_type != "cpu"  # where the model computes on the CPU, preparing beside it only slows it down

    @property
    def fingerprint(self) -> str:
        """Library versions, device and dtype: what may change an answer in its last digits."""
        import torch
        import transformers

        dtype = str(self.model.dtype).removeprefix("torch.")
        return f"transformers {transformers.__version__}, torch {torch.__version__}, {self.device_type}, {dtype}"

    @property
    def device_type(self) -> str:
        """Where the model computes: cpu, cuda or mps."""
        import torch

        return torch.device(input_device(self.model)).type

    def respond(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """Yield the replies batch by batch; an image that cannot be opened is a failed reply and leaves its batch.

        Requests of like length and size share a batch, so that little of it is padding; the longest come first, so that
        memory runs out soon or never.
        """
        ordered = sorted(requests, key=lambda request: (len(request.prompt), request.width, request.height), reverse=True)
        for batch in (ahead if self.is_ahead else map)(self._prepare, self._batches(ordered)):
            yield from batch.failed
            if batch.questions:
                prepared = batch if batch.inputs is not None else None
                yield from self.answers(batch.questions, prepared and (lambda batch=batch: self._answer(batch.questions, batch.inputs)))

    def _batches(self, requests: Iterable[Request]) -> Iterator[Sequence[Request]]:
        remaining = iter(requests)
        while batch := list(islice(remaining, self.answers.size)):  # a size that is smaller once memory ran out
            yield batch

    def _prepare(self, requests: Iterable[Request]) -> Batch:
        questions, failed = [], []
        for request in requests:
            try:
                questions.append(Question(request, to_rgb(Image.open(io.BytesIO(read_image(request))))))
            except (OSError, Image.DecompressionBombError) as error:
                failed.append(Reply.failed(request, error))
        try:
            return Batch(questions, failed, self._encode(questions) if questions else None)
        except Exception:  # noqa: BLE001 - raised again where the batch is answered, and told there
            return Batch(questions, failed, None)

    def _encode(self, questions: Sequence[Question]) -> Any:  # noqa: ANN401 - transformers' BatchFeature
        return encode(self.processor, [question.request.prompt for question in questions], [question.image for question in questions])

    def _answer(self, questions: Sequence[Question], inputs: Any = None) -> list[Reply]:  # noqa: ANN401 - transformers' BatchFeature
        started = time.perf_counter()
        inputs = self._encode(questions) if inputs is None else inputs
        prompt_tokens = inputs["attention_mask"].sum(dim=1).tolist()
        seeds = [int(question.request.request_key[:8], 16) for question in questions]
        replies = [self._until_stop(tokens) for tokens in self._generate(inputs, seeds)]
        texts = self.processor.batch_decode([reply[0] for reply in replies], skip_special_tokens=True)
        latency_ms = (time.perf_counter() - started) * 1000 / len(questions)
        return [
            Reply(
                request_key=question.request.request_key,
                text=text.strip(),
                finish_reason="stop" if is_stopped else "length",
                delivery="received",
                served_model=self.entry.id,
                system_fingerprint=self.fingerprint,
                prompt_tokens=n_prompt,
                completion_tokens=len(tokens) + is_stopped,
                latency_ms=latency_ms,
            )
            for question, text, (tokens, is_stopped), n_prompt in zip(questions, texts, replies, prompt_tokens, strict=True)
        ]

    def _generate(self, inputs: Any, seeds: Sequence[int]) -> list[list[int]]:  # noqa: ANN401 - transformers' BatchFeature
        """Return the new tokens of each row; rows that stop early are filled up."""
        import torch

        inputs = inputs.to(input_device(self.model), dtype=self.model.dtype)
        with torch.inference_mode():
            tokens = self.model.generate(**inputs, **decoding(self.entry, self.model, seeds))
        new: list[list[int]] = tokens[:, inputs["input_ids"].shape[1] :].tolist()
        return new

    def _until_stop(self, tokens: list[int]) -> tuple[list[int], bool]:
        """Return the tokens before the first that ends a reply, and whether there is one."""
        ends = self.model.generation_config.eos_token_id
        stops = {ends} if isinstance(ends, int) else set(ends or ())
        stop = next((position for position, token in enumerate(tokens) if token in stops), None)
        return tokens[:stop], stop is not None


def _give_up(question: Question, error: Exception) -> Reply:
    advice = MEMORY_ADVICE if is_out_of_memory(error) else ""
    return Reply.failed(question.request, f"{type(error).__name__}: {advice}{error}")
