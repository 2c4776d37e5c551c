"""Bring emotion words to one form: case, spaces, punctuation, inflection. `assets_data/label_forms.yaml` lists the forms."""

import re
import unicodedata
from functools import cache

from pydantic import BaseModel, ConfigDict

from eve_pipeline.registry import read_yaml
from eve_pipeline.settings import PROJECT

FILE = PROJECT / "assets_data" / "label_forms.yaml"


class LabelForms(BaseModel):
    """Forms of each emotion word, and words that may stand around one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    forms: dict[str, tuple[str, ...]]
    fillers: frozenset[str]


@cache
def _label_forms() -> tuple[dict[str, str], frozenset[str]]:
    """Return the emotion of each known form, its own name included, and the fillers."""
    content = LabelForms.model_validate(read_yaml(FILE))
    return {form: emotion for emotion, forms in content.forms.items() for form in (emotion, *forms)}, content.fillers


def plain(text: str) -> str:
    """Return the text's words, lower case, one space between; punctuation is gone: `" Awe-struck! "` gives `"awe struck"`."""
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()


def base_form(text: str) -> str:
    """Return the emotion that a known form stands for (`"Feeling angry."` gives `"anger"`), other text plain and without fillers."""
    emotions, fillers = _label_forms()
    words = " ".join(word for word in plain(text).split() if word not in fillers)
    return emotions.get(words, words)


def is_emotion_word(text: str) -> bool:
    """Return whether the text is a known form of an emotion word and nothing more."""
    return base_form(text) in _label_forms()[0]
