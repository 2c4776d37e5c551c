"""A prompt variant is one YAML file: a text with slots, the keys of the JSON it asks for, and the rule that orders the labels."""

import hashlib
from string import Template
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eve_pipeline.registry import Key, pick, read_folder
from eve_pipeline.settings import Settings

LabelOrder = Literal["dataset", "positive_first", "negative_first"]


class PromptVariant(BaseModel):
    """One way to ask.

    `text` may hold the slot `$labels`; a prompt without it is open: the model answers in its own words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Key
    description: str
    text: str
    answer_key: str = Field(description="JSON key that holds the emotion")
    explanation_key: str | None = Field(None, description="JSON key that holds the model's reasons")
    label_order: LabelOrder = "dataset"
    persona: Literal["positive", "negative"] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        unknown = set(Template(self.text).get_identifiers()) - {"labels"}
        if unknown or not Template(self.text).is_valid():
            raise ValueError(f"text has slots other than $labels ({', '.join(sorted(unknown)) or 'a stray $'}); write $$ for a dollar sign")
        for key in filter(None, (self.answer_key, self.explanation_key)):
            if f'"{key}"' not in self.text:
                raise ValueError(f'text never asks for the JSON key "{key}"')
        if self.is_open and self.label_order != "dataset":
            raise ValueError("label_order needs the slot $labels in text")
        return self

    @property
    def is_open(self) -> bool:
        """Whether the model answers in its own words, no labels being listed."""
        return "labels" not in Template(self.text).get_identifiers()

    @property
    def revision(self) -> str:
        """Hash of everything but the description, 12 hex digits."""
        return hashlib.sha256(self.model_dump_json(exclude={"description"}).encode()).hexdigest()[:12]


def prompt_variants(settings: Settings) -> dict[str, PromptVariant]:
    """Return the shipped and the user's (EVE_HOME/prompts) variants by key."""
    return read_folder(PromptVariant, [settings.assets_data / "prompts", settings.home / "prompts"])


def prompt_variant(key: str, settings: Settings) -> PromptVariant:
    """Return one variant by key."""
    return pick(prompt_variants(settings), key, "prompt")
