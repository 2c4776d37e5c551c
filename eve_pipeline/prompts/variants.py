"""A prompt variant is one YAML file: a text with slots, the keys of the JSON it asks for, and the rule that orders the labels."""

import hashlib
from string import Template
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from eve_pipeline.emotions.normalisation import base_form, is_emotion_word, plain
from eve_pipeline.registry import Entries, Key, pick, read_folder
from eve_pipeline.settings import Settings

LabelOrder = Literal["dataset", "positive_first", "negative_first", "permutations"]


class PromptVariant(BaseModel):
    """One way to ask, or with `label_order: permutations` a family of ways: one for each label order.

    `text` holds the slot `$labels` unless the prompt is open: then the model answers in its own words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Each field's validator sees those above it.
    key: Key
    description: str
    answer_key: str = Field(description="JSON key that holds the emotion")
    explanation_key: str | None = Field(None, description="JSON key that holds the model's reasons")
    confidence_key: str | None = Field(None, description="JSON key that holds how sure the model says it is")
    is_open: bool = Field(False, alias="open", description="no labels are listed")
    label_order: LabelOrder = "dataset"
    labels: tuple[str, ...] | None = Field(None, description="part of the dataset's list; items with other labels are not asked about")
    persona: Literal["positive", "negative"] | None = None
    text: str

    @field_validator("answer_key", "explanation_key", "confidence_key")
    @classmethod
    def _has_words(cls, key: str | None, info: ValidationInfo) -> str | None:
        if key is not None and not plain(key):
            raise ValueError("a key has a letter or a digit")
        others = (info.data.get(name) for name in ("answer_key", "explanation_key") if name != info.field_name)
        if key is not None and plain(key) in {plain(other) for other in others if other}:
            what = "reasons need" if info.field_name == "explanation_key" else "confidence needs"
            raise ValueError(f"the {what} a key of their own, since neither case nor punctuation tells keys apart")
        return key

    @field_validator("label_order", "labels")
    @classmethod
    def _needs_labels(cls, value: object, info: ValidationInfo) -> object:
        if info.data.get("is_open"):
            raise ValueError("an open prompt lists no labels; leave out open or this")
        return value

    @field_validator("labels")
    @classmethod
    def _known_and_distinct(cls, labels: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if labels is None:
            return None
        if unknown := [label for label in labels if not is_emotion_word(label)]:
            raise ValueError(f"{unknown[0]!r} is no emotion of assets_data/label_forms.yaml")
        if len({base_form(label) for label in labels}) < max(len(labels), 2):
            raise ValueError("name two or more labels, each once")
        return labels

    @field_validator("text")
    @classmethod
    def _asks_what_it_says(cls, text: str, info: ValidationInfo) -> str:
        slots = set(Template(text).get_identifiers())
        if not Template(text).is_valid() or slots - {"labels"}:
            others = ", ".join(sorted(slots - {"labels"})) or "a stray $"
            raise ValueError(f"text has slots other than $labels ({others}); write $$ for a dollar sign")
        if ("labels" in slots) == info.data.get("is_open"):
            raise ValueError("text lacks the slot $labels; write open: true where none is meant" if not slots else "open, but has $labels")
        for key in filter(None, (info.data.get(name) for name in ("answer_key", "explanation_key", "confidence_key"))):
            if f'"{key}"' not in text:
                raise ValueError(f'text never asks for the JSON key "{key}"')
        return text

    @property
    def is_family(self) -> bool:
        """Whether the variant asks about each image several times, once in each label order."""
        return self.label_order == "permutations"

    @property
    def revision(self) -> str:
        """Hash of everything but the description, 12 hex digits."""
        return hashlib.sha256(self.model_dump_json(exclude={"description"}).encode()).hexdigest()[:12]


def prompt_variants(settings: Settings) -> Entries[PromptVariant]:
    """Return the shipped and the user's (EVE_HOME/prompts) variants by key."""
    return read_folder(PromptVariant, [settings.assets_data / "prompts", settings.home / "prompts"])


def prompt_variant(key: str, settings: Settings) -> PromptVariant:
    """Return one variant by key."""
    return pick(prompt_variants(settings), key, "prompt")
