"""The label that a raw label means. Strings alone decide; a value that names several labels, or what it is not, has none."""

import re
from typing import Literal, NamedTuple

from eve_pipeline.emotions.label_sets import Labels
from eve_pipeline.emotions.normalisation import base_form, plain

_NOT = re.compile(r"[¬≠❌🚫✗✘👎]|~~|!=?\s*\w")


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
