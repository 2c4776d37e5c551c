"""Find the JSON objects in a reply: valid ones as they are, damaged ones repaired (json_repair), and no value of a key lost."""

import html
import json
import re
from collections.abc import Iterator
from itertools import count

import json_repair

from eve_pipeline.emotions.normalisation import plain

Object = dict[str, object]

_REPAIRED = 10_000
"""Characters of a damaged text that are read; the time that json_repair takes can grow with their square."""

# Equal keys of one object are told apart by a private character behind them, since neither a dict nor json_repair keeps both.
_FIRST_MARK, _MARKS = 0xF0000, 0xFFFE
_MARK = re.compile("[\U000f0000-\U000ffffd]")

_FULL_WIDTH = str.maketrans("｛｝［］：，＂＇", "{}[]:,\"'")  # noqa: RUF001 - what is replaced
_BRACE = re.compile("[{｛]")  # noqa: RUF001 - both braces are in use
_NO_FIELD = re.compile(r"\{[^{}:=：]*\}")  # noqa: RUF001 - both colons are in use
_STRING = r"""(?:["“”][^"“”]*["“”]|'[^']*')"""
# Unquoted, json_repair takes a value for longer than it is, or loses the sign before it: the key's own is quoted beforehand.
_UNQUOTED = re.compile(
    r"""
    ([\U000f0000-\U000ffffd]["'”]?\s*:\s*)                                  # the marked key
    (?!(?i:null|none|true|false)\b)
    ([^\s\d"'“”\u2018\u2019«„「\\\[\]{}(),:-][^"'“”\[\]{},:\n]*)            # its value
    (?=\}|,\s*(?:[}"'“]|[\w\ ]{1,40}:))                                     # the object's end or the next key
    """,
    re.VERBOSE,
)
_BARE_STRINGS = re.compile(rf""":\s*({_STRING}(?:\s*(?:,\s*)?{_STRING}(?=\s*(?:[,}}\]"“”']|$)))+)""")


def find_objects(text: str, key: str) -> list[Object]:
    """Return every JSON object in the text, those within others too, with all values that `key` has in them.

    The key's name may be followed by a private character; `plain` ignores it. Strings that stand behind the key's value as if they
    were values too (`"fear", "awe"`) make a list with it. What is nested deeper, or stands 10,000 characters behind the first damage,
    is left out: no answer is.
    """
    valid, damaged = _valid_objects(text)
    try:
        return [inner for found in (*valid, _repair(damaged, key)) for inner in _walk(found)]
    except RecursionError:
        return []


def key_pattern(key: str) -> str:
    """Return a regular expression of a key's words, whatever stands between them."""
    words = r"[\W_]{1,3}".join(map(re.escape, plain(key).split()))
    return rf"(?<![^\W_])(?i:{words})(?![^\W_])"


def without_marks(text: str) -> str:
    """Return the text as it was written."""
    return _MARK.sub("", text)


def _valid_objects(text: str) -> tuple[list[object], str]:
    """Return the objects up to the first that is damaged, and the text from there on."""
    decoder = json.JSONDecoder(object_pairs_hook=_marked_pairs, strict=False)
    found: list[object] = []
    brace = _BRACE.search(text)
    while brace:
        at = brace.start()
        try:
            value, end = decoder.raw_decode(text, at)
            found.append(value)
        except (ValueError, RecursionError):
            prose = _NO_FIELD.match(text, at)
            if not prose:
                return found, text[at:]
            end = prose.end()
        brace = _BRACE.search(text, end)
    return found, ""


def _marked_pairs(pairs: list[tuple[str, object]]) -> Object:
    numbers = count()
    values: Object = {}
    for name, value in pairs:
        values[name + _mark(next(numbers)) if name in values else name] = value
    return values


def _repair(text: str, key: str) -> object:
    numbers = count()
    ascii_marks = html.unescape(_head(text)).translate(_FULL_WIDTH)
    marked = re.sub(key_pattern(key) + r"(?=\W{0,4}:)", lambda name: name[0] + _mark(next(numbers)), ascii_marks)
    try:
        return json_repair.loads(_BARE_STRINGS.sub(r": [\1]", _UNQUOTED.sub(r'\1"\2"', marked)), skip_json_loads=True)
    except Exception:  # noqa: BLE001 - whatever the repair trips over is a reply without JSON, which has its own status
        return None


def _head(text: str) -> str:
    """Return what is read of a damaged text: a long one ends between two values, not within one."""
    head = text[:_REPAIRED]
    return text if head == text else head[: max(map(head.rfind, ",}")) + 1]


def _mark(number: int) -> str:
    return chr(_FIRST_MARK + number % _MARKS)


def _walk(value: object) -> Iterator[Object]:
    inner: list[object] = []
    if isinstance(value, dict):
        yield value
        inner = list(value.values())
    elif isinstance(value, list):
        inner = value
    for item in inner:
        yield from _walk(item)
