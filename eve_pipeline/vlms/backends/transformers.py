"""Any image-text-to-text model that transformers can load, from the hub or a folder, answered in batches."""

import io
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from PIL import Image

from eve_pipeline.accelerator import pick_device, prepare_torch
from eve_pipeline.pictures import to_rgb
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.images import read_image
from eve_pipeline.vlms.protocol import Reply, Request
from eve_pipeline.vlms.registry import ModelEntry
from eve_pipeline.vlms.revisions import unreachable


@contextmanager
def open_vlm(entry: ModelEntry, settings: Settings) -> Iterator["TransformersVlm"]:
    """Load the entry's checkpoint and release its memory afterwards."""
    prepare_torch()
    import torch
    from transformers.utils.logging import disable_progress_bar

    if not sys.stderr.isatty():
        disable_progress_bar()
    vlm = TransformersVlm.load(entry, settings)
    try:
        yield vlm
    finally:
        del vlm
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


class TransformersVlm:
    """A loaded checkpoint; its processor's chat template turns an image and a question into the model's own prompt."""

    def __init__(self, entry: ModelEntry, processor: Any, model: Any) -> None:  # noqa: ANN401 - transformers' Auto classes have no common type
        self.entry = entry
        self.processor = processor
        self.model = model
        self.processor.tokenizer.padding_side = "left"
        if self.processor.tokenizer.pad_token is None:
            self.processor.tokenizer.pad_token = self.processor.tokenizer.eos_token

    @classmethod
    def load(cls, entry: ModelEntry, settings: Settings) -> Self:
        """Return the entry's model on the wanted device.

        Raises:
            EveError: neither the folder nor the hub nor its local cache has the checkpoint.
        """
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor

        device = pick_device(settings.device)
        default = torch.bfloat16 if device.type == "cuda" else torch.float32
        dtype = getattr(torch, entry.dtype) if entry.dtype else default
        source = entry.path or entry.id
        shared = {"revision": entry.revision, "trust_remote_code": entry.trust_remote_code}
        try:
            processor = AutoProcessor.from_pretrained(source, **shared)
            model = AutoModelForImageTextToText.from_pretrained(source, dtype=dtype, use_safetensors=True, **shared)
        except (OSError, ValueError, KeyError) as error:
            raise unreachable(entry, str(error)) from error
        return cls(entry, processor, model.to(device).eval())

    @property
    def fingerprint(self) -> str:
        """Library versions, device and dtype: what may change an answer in its last digits."""
        import torch
        import transformers

        dtype = str(self.model.dtype).removeprefix("torch.")
        return f"transformers {transformers.__version__}, torch {torch.__version__}, {self.model.device.type}, {dtype}"

    def respond(self, requests: Sequence[Request]) -> Iterator[Reply]:
        """Yield the replies batch by batch; an image that cannot be opened is a failed reply and leaves its batch."""
        size = self.entry.limits.batch_size
        ordered = sorted(requests, key=lambda request: len(request.prompt))
        for start in range(0, len(ordered), size):
            images: dict[Request, Image.Image] = {}
            for request in ordered[start : start + size]:
                try:
                    images[request] = to_rgb(Image.open(io.BytesIO(read_image(request))))
                except (OSError, Image.DecompressionBombError) as error:
                    yield Reply.failed(request, error)
            if images:
                yield from self._try_batch(images)

    def _try_batch(self, images: dict[Request, Image.Image]) -> list[Reply]:
        try:
            return list(self._respond_batch(images))
        except Exception as error:  # noqa: BLE001 - what one batch does must not stop the others
            return [Reply.failed(request, f"{type(error).__name__}: {error}") for request in images]

    def _respond_batch(self, images: dict[Request, Image.Image]) -> Iterator[Reply]:
        started = time.perf_counter()
        inputs = self._inputs(images)
        prompt_tokens = inputs["attention_mask"].sum(dim=1).tolist()
        outputs = self._generate(inputs, seed=int(next(iter(images)).request_key[:8], 16))
        texts = self.processor.batch_decode(outputs, skip_special_tokens=True)
        latency_ms = (time.perf_counter() - started) * 1000 / len(images)
        for request, text, tokens, length in zip(images, texts, outputs.tolist(), prompt_tokens, strict=True):
            n_new, is_stopped = self._length(tokens)
            yield Reply(
                request_key=request.request_key,
                text=text.strip(),
                finish_reason="stop" if is_stopped else "length",
                delivery="received",
                served_model=self.entry.id,
                system_fingerprint=self.fingerprint,
                prompt_tokens=length,
                completion_tokens=n_new,
                latency_ms=latency_ms,
            )

    def _inputs(self, images: dict[Request, Image.Image]) -> Any:  # noqa: ANN401 - transformers' BatchFeature is untyped
        conversations = [
            [{"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": request.prompt}]}]
            for request, image in images.items()
        ]
        return self.processor.apply_chat_template(
            conversations,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            processor_kwargs={"padding": True, "return_tensors": "pt"},
        ).to(self.model.device, dtype=self.model.dtype)

    def _generate(self, inputs: Any, seed: int) -> Any:  # noqa: ANN401 - tensors in a BatchFeature
        """Return the new tokens, shape (batch, tokens)."""
        import torch

        parameters = self.entry.parameters
        torch.manual_seed(seed)
        sampling: dict[str, Any] = {"temperature": parameters.temperature, "top_p": parameters.top_p}
        if self.entry.is_greedy:
            decoding = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        else:
            decoding = {name: value for name, value in sampling.items() if value is not None}
            decoding |= {"do_sample": True} if decoding else {}
        with torch.inference_mode():
            tokens = self.model.generate(**inputs, max_new_tokens=parameters.max_new_tokens, **decoding)
        return tokens[:, inputs["input_ids"].shape[1] :]

    def _length(self, tokens: list[int]) -> tuple[int, bool]:
        """Return the number of tokens up to the first that ends a reply, and whether there is one."""
        ends = self.model.generation_config.eos_token_id
        stops = {ends} if isinstance(ends, int) else set(ends or ())
        for position, token in enumerate(tokens):
            if token in stops:
                return position + 1, True
        return len(tokens), False
