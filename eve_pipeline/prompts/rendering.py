"""Turn a variant and a label list into the texts that a model reads."""

from collections.abc import Iterator, Mapping
from string import Template
from typing import NamedTuple

from eve_pipeline.emotions.affect import Sentiment
from eve_pipeline.emotions.label_sets import Labels
from eve_pipeline.emotions.normalisation import base_form
from eve_pipeline.prompts.label_orders import label_orders
from eve_pipeline.prompts.variants import LabelOrder, PromptVariant


class RenderedPrompt(NamedTuple):
    """A text and the order in which it lists the labels; no labels where the prompt is open."""

    text: str
    label_order: Labels


def asked_labels(prompt: PromptVariant, labels: Labels) -> Labels | None:
    """Return the labels that the variant asks about, as the dataset's list spells them; None where the list lacks one of its part."""
    if not prompt.labels:
        return labels
    spellings = {base_form(label): label for label in labels}
    part = tuple(spellings[form] for form in map(base_form, prompt.labels) if form in spellings)
    return part if len(part) == len(prompt.labels) else None


def order_labels(labels: Labels, rule: LabelOrder, sentiments: Mapping[str, Sentiment]) -> list[Labels]:
    """Return the labels in each order that `rule` asks for; within a sentiment the dataset's order stays."""
    if rule == "dataset":
        return [labels]
    if rule == "permutations":
        return label_orders(labels)
    wanted: list[Sentiment] = ["positive", "none", "negative"]
    if rule == "negative_first":
        wanted.reverse()
    return [tuple(sorted(labels, key=lambda label: wanted.index(sentiments.get(label, "none"))))]


def render(prompt: PromptVariant, labels: Labels, sentiments: Mapping[str, Sentiment]) -> Iterator[RenderedPrompt]:
    """Yield each text that the variant asks about one image: one, or one for each label order of a family."""
    for order in [()] if prompt.is_open else order_labels(labels, prompt.label_order, sentiments):
        yield RenderedPrompt(Template(prompt.text).substitute(labels=", ".join(order)).strip(), order)
