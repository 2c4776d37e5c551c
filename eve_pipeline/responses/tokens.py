"""How many tokens a request will have before anything was asked, and what tokens cost."""

import math
import re

from eve_pipeline.vlms.registry import ImageTokens, ModelEntry

CHARACTERS_A_TOKEN = 4
TILE_PX, FIT_PX, SHORTEST_SIDE_PX = 512, 2048, 768
PATCH_PX, MOST_PATCHES = 32, 1536
FIRST_KEY_TOKENS, FURTHER_KEY_TOKENS = 12, 60
JSON_KEY = re.compile(r'"\w+"\s*:')
TOKENS_A_PRICE = 1_000_000


def text_tokens(prompt: str) -> int:
    """Return the estimated tokens of a text: one for four characters, OpenAI's rule of thumb for English."""
    return math.ceil(len(prompt) / CHARACTERS_A_TOKEN)


def image_tokens(entry: ModelEntry, width: int, height: int) -> int:
    """Return the estimated prompt tokens of an image of a width and height in pixels, as the entry prepares it.

    With `image_tokens` in the entry it is OpenAI's rule for GPT-4o and its kin: `base`, and unless the detail is low `per_tile` for each
    512-pixel tile of the image shrunk into a square of 2048 and to a shortest side of 768. Else it is OpenAI's rule for its patch models,
    which fits others roughly: one token for each patch of 32 pixels, at most 1,536.
    Source: "Images and vision, calculating costs" in OpenAI's API documentation.
    """
    width, height = _shrunk(width, height, max(width, height), entry.image.max_side)
    if entry.image_tokens is None:
        return min(_pieces(width, height, PATCH_PX), MOST_PATCHES)
    return _tile_tokens(entry.image_tokens, width, height, is_low=entry.image.detail == "low")


def completion_tokens(entry: ModelEntry, prompt: str) -> int:
    """Return the estimated tokens of a reply: 12 for the first JSON key that the prompt asks for, 60 for each further one."""
    n_further = max(len(JSON_KEY.findall(prompt)) - 1, 0)
    return min(FIRST_KEY_TOKENS + n_further * FURTHER_KEY_TOKENS, entry.parameters.max_new_tokens)


def usd(entry: ModelEntry, n_prompt_tokens: float, n_completion_tokens: float) -> float | None:
    """Return the price in USD of so many tokens at the entry's rates; None where it has none."""
    if entry.prices is None:
        return None
    return (n_prompt_tokens * entry.prices.input_usd + n_completion_tokens * entry.prices.output_usd) / TOKENS_A_PRICE


def _tile_tokens(tokens: ImageTokens, width: int, height: int, *, is_low: bool) -> int:
    if is_low:
        return tokens.base
    width, height = _shrunk(width, height, max(width, height), FIT_PX)
    width, height = _shrunk(width, height, min(width, height), SHORTEST_SIDE_PX)
    return tokens.base + tokens.per_tile * _pieces(width, height, TILE_PX)


def _shrunk(width: int, height: int, side: int, most: int | None) -> tuple[int, int]:
    """Return the size scaled down by what brings `side` to `most`; smaller images stay."""
    if most is None or side <= most:
        return width, height
    return round(width * most / side), round(height * most / side)


def _pieces(width: int, height: int, side: int) -> int:
    return max(math.ceil(width / side), 1) * max(math.ceil(height / side), 1)
