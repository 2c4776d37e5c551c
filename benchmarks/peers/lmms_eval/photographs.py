"""What lmms-eval's task `photographs` calls, in lmms-eval's own environment."""

from typing import Any

from PIL import Image

Row = dict[str, str]


def images(row: Row) -> list[Image.Image]:
    """Return the image of a row."""
    return [Image.open(row["image"]).convert("RGB")]


def question(row: Row, _: object = None) -> str:
    """Return the question about it."""
    return row["question"]


def messages(row: Row, _: object = None) -> list[dict[str, Any]]:
    """Return both as a chat."""
    content = [{"type": "image", "url": images(row)[0]}, {"type": "text", "text": row["question"]}]
    return [{"role": "user", "content": content}]


def score(_: Row, results: list[str]) -> dict[str, float]:
    """Return whether there is an answer."""
    return {"answered": float("prediction" in results[0])}
