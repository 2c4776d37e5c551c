"""Turn a picture and a question into the text that a model was trained on, by its own chat template."""

from collections.abc import Sequence
from typing import Any

from PIL import Image

from eve_pipeline.errors import EveError
from eve_pipeline.vlms.registry import ModelEntry

# Processors of models without chats, which complete the text by themselves: "<image>" + first token + question + line break.
PREFIX_PROCESSORS = {"PaliGemmaProcessor"}


def conversation(prompt: str, image: Image.Image | None) -> list[dict[str, Any]]:
    """Return a chat of one user turn: the picture, if there is one, then the question."""
    picture = [{"type": "image", "image": image}] if image else []
    return [{"role": "user", "content": [*picture, {"type": "text", "text": prompt}]}]


def check_chat_template(processor: Any, entry: ModelEntry) -> None:  # noqa: ANN401 - transformers' processors have no common type
    """Make sure that the checkpoint's template has a place for a picture.

    Raises:
        EveError: it has no template, or one for text alone.
    """
    if not processor.chat_template and type(processor).__name__ in PREFIX_PROCESSORS:
        return
    try:
        with_picture, without = (processor.apply_chat_template(conversation("?", image)) for image in (Image.new("RGB", (1, 1)), None))
        problem = "" if with_picture != without else "has a chat template without a place for a picture"
    except Exception as error:  # noqa: BLE001 - a template is a program of the checkpoint's author
        problem = f"has no usable chat template: {error}"
    if problem:
        raise EveError(
            f"The checkpoint of model {entry.key!r} ({entry.path or entry.id}) {problem}",
            "Use the model's instruction-tuned version, or put its chat_template.jinja into a local copy and set `path:` to that folder.",
        )


def encode(processor: Any, prompts: Sequence[str], images: Sequence[Image.Image]) -> Any:  # noqa: ANN401 - transformers' BatchFeature
    """Return the tensors of a batch, one row for each prompt and its image, padded on the left."""
    padding = {"padding": True, "padding_side": "left"}
    if not processor.chat_template:
        text = [f"{processor.image_token}{prompt}" for prompt in prompts]
        return processor(text=text, images=[[image] for image in images], return_tensors="pt", **padding)
    return processor.apply_chat_template(
        [conversation(prompt, image) for prompt, image in zip(prompts, images, strict=True)],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        processor_kwargs=padding,
    )
