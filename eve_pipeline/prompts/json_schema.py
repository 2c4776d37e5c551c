"""The JSON schema of the answer that a prompt asks for, for servers that can hold a model to one."""

import re
from typing import Any

from eve_pipeline.prompts.rendering import RenderedPrompt
from eve_pipeline.prompts.variants import PromptVariant

SHOWN_KEY = re.compile(r'"([^"\n]+)"\s*:')


def answer_json_schema(prompt: PromptVariant, rendered: RenderedPrompt) -> dict[str, Any]:
    """Return an object of the keys that the text shows, in its order, so that reasons still come before the answer.

    All values are strings; the answer is one of the listed labels, in a word of its own where the prompt is open.
    """
    keys = dict.fromkeys([*SHOWN_KEY.findall(rendered.text), *filter(None, [prompt.explanation_key, prompt.answer_key])])
    properties: dict[str, Any] = {key: {"type": "string"} for key in keys}
    if rendered.label_order:
        properties[prompt.answer_key]["enum"] = list(rendered.label_order)
    return {"type": "object", "properties": properties, "required": list(keys), "additionalProperties": False}
