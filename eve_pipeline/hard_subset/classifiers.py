"""Classifier entries: one YAML file a classifier, shipped or the user's own (EVE_HOME/classifiers)."""

import hashlib
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from eve_pipeline.registry import Key, pick, read_folder
from eve_pipeline.settings import Settings


class Classifier(BaseModel):
    """A timm vision transformer, its head, and how both are trained and which images each training holds out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Key
    description: str = ""
    model: str = Field(description="name of a timm model, with the tag of its weights where pretrained")
    model_args: dict[str, JsonValue] = Field(default_factory=dict, description="further arguments of timm.create_model")
    pretrained: bool = False
    image_size: int = Field(ge=8, description="side in px to which images are resized")
    hidden_layers: tuple[int, ...] = Field((), description="widths of the layers between the class token and the classes")
    dropout: float = Field(0, ge=0, lt=1, description="share of the class token dropped before the head")
    optimizer: Literal["sgd", "adamw"]
    learning_rate: float = Field(gt=0)
    momentum: float = Field(0, ge=0, lt=1, description="of sgd alone")
    weight_decay: float = Field(0, ge=0)
    t_max: int | None = Field(None, ge=1, description="epochs from the highest to the lowest learning rate; by default all")
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    augment: bool = Field(False, description="mirror and shift training images at random")
    split: Literal["k_fold", "single_80_20"] = Field("k_fold", description="single_80_20 scores the fifth that is held out, alone")
    folds: int = Field(5, ge=2)
    seed: int = 0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.momentum and self.optimizer != "sgd":
            raise ValueError("momentum belongs to the optimizer sgd")
        if self.split == "single_80_20" and self.folds != 5:  # noqa: PLR2004 - a fifth is 20 %
            raise ValueError("folds must be 5, or absent, where split is single_80_20")
        return self

    @property
    def identity(self) -> str:
        """The key and the digest of everything but the description, as it stands in `classifier_scores`."""
        settings = self.model_dump_json(exclude={"key", "description"})
        return f"{self.key}@{hashlib.sha256(settings.encode()).hexdigest()[:12]}"


def classifiers(settings: Settings) -> dict[str, Classifier]:
    """Return the shipped and the user's classifiers by key."""
    return read_folder(Classifier, [settings.assets_data / "classifiers", settings.home / "classifiers"])


def classifier(key: str, settings: Settings) -> Classifier:
    """Return one classifier by key."""
    return pick(classifiers(settings), key, "classifier")
