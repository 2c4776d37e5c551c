"""Find the emotion and the reasons in a raw reply. Nothing here raises: what cannot be found is None."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

import json_repair

from eve_pipeline.emotions.normalisation import plain

_THOUGHTS = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|$)", re.DOTALL | re.IGNORECASE)
_UNOPENED_THOUGHTS = re.compile(r"^.*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_STRING = r"""(?:["“”][^"“”]*["“”]|'[^']*')"""
_BARE_STRINGS = re.compile(rf""":\s*({_STRING}(?:\s*(?:,\s*)?{_STRING}(?=\s*(?:[,}}\]"“”']|$)))+)""")
_INNERMOST_OBJECT = re.compile(r"\{[^{}]*\}?")
_PLACEHOLDER = re.compile(r"<[^<>]*>")
_BETWEEN_VALUES = "; "


class Extract(NamedTuple):
    """The emotion as the model wrote it and its reasons; None where the reply has none."""

    raw_label: str | None
    explanation: str | None


def extract(text: str, answer_key: str, explanation_key: str | None = None) -> Extract:
    """Return what a reply's JSON holds under two keys, whose case and punctuation do not matter.

    Fences, prose, wrong quotes, a missing end and other damage are repaired (json_repair); placeholders such as "<emotion>", which
    echo the prompt, are passed over. Several different values of one key, and bare strings behind its value, are joined by "; ".
    """
    try:
        objects = list(_objects(text))
        explanation = _value(objects, explanation_key) if explanation_key else None
        return Extract(_value(objects, answer_key), explanation)
    except RecursionError:  # nested deeper than any answer is
        return Extract(None, None)


def without_thoughts(text: str) -> str:
    """Return the reply without what stands in <think> tags, or before a </think> whose opening tag was in the prompt."""
    return _UNOPENED_THOUGHTS.sub("", _THOUGHTS.sub("", text)).strip()


def _objects(text: str) -> Iterator[dict[str, object]]:
    """Yield each JSON object in the text, those within others too; some come twice."""
    try:
        yield from _walk(_load(text))
    except ValueError:
        # The repair keeps the last of several objects of one shape, so each is looked at by itself as well.
        for part in (text, *_INNERMOST_OBJECT.findall(text)):
            yield from _walk(_repair(part))


def _load(text: str) -> object:
    """Return what the JSON text holds; each object with a list of the values of a key, which may come twice."""
    return json.loads(text, object_pairs_hook=_all_values)


def _all_values(pairs: list[tuple[str, object]]) -> dict[str, list[object]]:
    values: dict[str, list[object]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def _repair(text: str) -> object:
    try:
        return _load(text)
    except ValueError:
        pass
    try:
        return json_repair.loads(_BARE_STRINGS.sub(r": [\1]", text), skip_json_loads=True)
    except Exception:  # noqa: BLE001 - whatever the repair trips over is a reply without JSON, which has its own status
        return None


def _walk(value: object) -> Iterator[dict[str, object]]:
    inner: list[object] = []
    if isinstance(value, dict):
        yield value
        inner = list(value.values())
    elif isinstance(value, list):
        inner = value
    for item in inner:
        yield from _walk(item)


def _value(objects: list[dict[str, object]], key: str) -> str | None:
    wanted = plain(key)
    texts = (text for found in objects for name, value in found.items() if plain(name) == wanted for text in _texts(value))
    by_words = {plain(text) or text: text for text in texts}
    return _BETWEEN_VALUES.join(by_words.values()) or None


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in a value: its own, or those of the lists and objects in it."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
    elif value is not None:
        text = str(value).strip()
        if text and not _PLACEHOLDER.fullmatch(text):
            yield text
