"""The label that a raw label means, as strings; a value that names several labels, or what it is not, has none."""

import re
from functools import cache
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from eve_pipeline.emotions.label_sets import Labels
from eve_pipeline.emotions.normalisation import base_form, plain
from eve_pipeline.registry import read_yaml
from eve_pipeline.settings import PROJECT

GENERIC_ANSWERS = PROJECT / "assets_data" / "generic_answers.yaml"
_NEGATIONS = frozenset({"not", "no", "never", "without", "neither", "nor", "hardly", "isn", "don", "t"})
_NOT = re.compile(r"[¬≠❌🚫✗✘👎]|~~|!=?\s*\w")


class GenericAnswers(BaseModel):
    """The file of words that stand for no fine-grained emotion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: tuple[str, ...]


class Match(NamedTuple):
    """A label of the list and how it was found."""

    label: str
    match: Literal["exact", "normalised"]


def match_label(raw_label: str, labels: Labels) -> Match | None:
    """Return the label that `raw_label` is, letter by letter or but for case, punctuation, fillers and inflection; None where none is.

    The whole value must be the label: "fear or sadness", "not fear", "❌ fear" and "mostly fear" are no label. So is a form that two
    labels of the list share.
    """
    if raw_label in labels:
        return Match(raw_label, "exact")
    if _NOT.search(raw_label):
        return None
    for form in (plain, base_form):
        meant = [label for label in labels if form(label) == form(raw_label)]
        if len(meant) == 1:
            return Match(meant[0], "normalised")
    return None


@cache
def _generic_words() -> frozenset[str]:
    return frozenset(map(plain, GenericAnswers.model_validate(read_yaml(GENERIC_ANSWERS)).words))


def is_generic(raw_label: str) -> bool:
    """Return whether the answer says no more than that a feeling is good, bad or there (`assets_data/generic_answers.yaml`)."""
    return plain(raw_label) in _generic_words() or base_form(raw_label) in _generic_words()


def is_one_thing(raw_label: str, labels: Labels) -> bool:
    """Return whether a value neither denies something nor names several labels, so that what it is nearest to is what it means."""
    words = set(plain(raw_label).split())
    named = [label for label in labels if set(plain(label).split()) <= words]
    return not _NOT.search(raw_label) and not words & _NEGATIONS and len(named) <= 1
