"""Find the emotion and the reasons in a reply. Nothing here raises: what cannot be found is None.

Wrapping does not matter, words do: fences, quotes, markup, damaged JSON and the case of keys are looked through, but no sentence is
interpreted, and of several values none is preferred.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from eve_pipeline.answers.objects import Object, find_objects, key_pattern, without_marks
from eve_pipeline.emotions.normalisation import is_emotion_word, plain

_PLACEHOLDER = re.compile(r"<[^<>]*>")
_ECHO = re.compile(r'^.*<[^<>"]*>"\s*\}', re.DOTALL)
_BOXED = re.compile(r"\\boxed\s*\{\s*(?:\\\w+\s*\{)?([^{}]*)")
_FENCE = re.compile(r"```[\w-]*")
_EMPHASIS = "*_` \t"
_BETWEEN_VALUES = "; "


class Extract(NamedTuple):
    """The emotion as the model wrote it, its reasons, and what the reply may be without naming either; None where there is none."""

    raw_label: str | None
    explanation: str | None
    bare: str | None = None


def extract(text: str, answer_key: str, explanation_key: str | None = None) -> Extract:
    r"""Return what a clean reply holds under two keys, whose case and punctuation do not matter.

    The keys are those of JSON objects, else of lines `key: value` and tags `<key>value`, else the value in a `\boxed{}`. Placeholders
    such as "<emotion>", which echo the prompt, are passed over. Several different values are joined by "; ". A reply without the
    answer's key has a `bare` value: the only text in its JSON but for the reasons, or all of a reply without JSON.
    """
    objects = find_objects(text, answer_key)
    explanation = None
    if explanation_key:
        explanation = _value(objects, explanation_key) if objects else _joined(_noted(text, explanation_key, answer_key))
    if raw_label := _value(objects, answer_key):
        return Extract(raw_label, explanation)
    behind_echo = _ECHO.sub("", text)
    if behind_echo != text:
        objects = find_objects(behind_echo, answer_key)
    if any(plain(name) == plain(answer_key) for found in objects for name in found):
        return Extract(None, explanation)
    if raw_label := _joined(_noted(behind_echo, answer_key, explanation_key) or _BOXED.findall(behind_echo)):
        return Extract(raw_label, explanation)
    return Extract(None, explanation, _bare(behind_echo, objects, explanation_key))


def _value(objects: list[Object], key: str) -> str | None:
    wanted = plain(key)
    return _joined(text for found in objects for name, value in found.items() if plain(name) == wanted for text in _texts(value))


def _noted(text: str, key: str, other_key: str | None) -> list[str]:
    """Return the key's values in lines, headings and tags; in a line they end where the other key follows."""
    name = key_pattern(key)
    values = re.findall(rf"^(?:[^\w\n]|_)*{name}(?:[^\w\n:：=]|_)*(?:[:：=]|$)\s*(.*)$", text, re.MULTILINE)  # noqa: RUF001 - both in use
    values += re.findall(rf"<{name}>([^<]*)", text)
    end = rf"\W{{1,4}}{key_pattern(other_key)}\W{{0,4}}:" if other_key else r"\Z"
    return [re.split(end, value)[0].strip(_EMPHASIS) for value in values]


def _bare(text: str, objects: list[Object], explanation_key: str | None) -> str | None:
    if not objects:
        return _joined([_FENCE.sub("", text)])
    reasons = plain(explanation_key or "")
    return _joined(text for found in objects for name, value in found.items() if plain(name) != reasons for text in _texts(value))


def _joined(values: Iterator[str] | list[str]) -> str | None:
    """Return the different values, joined; placeholders are none."""
    texts = (without_marks(value).strip() for value in values)
    by_words = {plain(text) or text: text for text in texts if text and (not _PLACEHOLDER.fullmatch(text) or is_emotion_word(text))}
    return _BETWEEN_VALUES.join(by_words.values()) or None


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in a value, or in those of the lists and objects in it; numbers and truth values where it has no text."""
    leaves = list(_leaves("", value))
    texts = [leaf for _, leaf in leaves if isinstance(leaf, str) and leaf.strip()]
    yield from texts or (f"{name} {leaf}" for name, leaf in leaves if leaf is not None and leaf != "")


def _leaves(name: str, value: object) -> Iterator[tuple[str, object]]:
    """Yield what is no list and no object, in order; without recursion, as replies nest to any depth."""
    pending = [(name, value)]
    while pending:
        name, value = pending.pop()
        if isinstance(value, dict):
            pending.extend(reversed(value.items()))
        elif isinstance(value, list):
            pending.extend((name, inner) for inner in reversed(value))
        else:
            yield name, value
