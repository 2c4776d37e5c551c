"""Classifier entries: one YAML file a classifier, shipped or the user's own (EVE_HOME/classifiers)."""

import hashlib
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from eve_pipeline.registry import Entries, Key, pick, read_folder
from eve_pipeline.settings import Settings


class Classifier(BaseModel):
    """A timm vision transformer, its head, what they start from, how they are trained and which images each training holds out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Key
    description: str = ""
    model: str = Field(description="name of a timm model, with the tag of its weights where pretrained")
    model_args: dict[str, JsonValue] = Field(default_factory=dict, description="further arguments of timm.create_model")
    pretrained: bool = Field(False, description="start from the weights that timm knows under this name")
    warm_start: Key | None = Field(None, description="start from the weights that were kept when this dataset was scored")
    trainable: Literal["all", "last_layer"] = Field("all", description="last_layer leaves all before it as it starts")
    keep_weights: bool = Field(False, description="keep the weights for a warm start; k_fold trains once more for it, on all images")
    image_size: int = Field(ge=8, description="side in px to which images are resized")
    hidden_layers: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (), description="widths of the layers between the class token and the classes"
    )
    dropout: float = Field(0, ge=0, lt=1, description="share of the class token dropped before the head")
    optimizer: Literal["sgd", "adamw"]
    learning_rate: float = Field(gt=0)
    momentum: float = Field(0, ge=0, lt=1, description="of sgd alone")
    weight_decay: float = Field(0, ge=0)
    t_max: int | None = Field(None, ge=1, description="epochs from the highest to the lowest learning rate; by default all")
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    augment: bool = Field(False, description="mirror and shift training images at random")
    class_weights: Literal["balanced"] | None = Field(None, description="balanced: the loss counts every label alike, however rare")
    patience: int | None = Field(None, ge=1, description="stop after this many epochs without a lower loss on the validation part")
    validation_share: float = Field(0.1, gt=0, le=0.5, description="share of the training images set aside where there is a patience")
    split: Literal["k_fold", "single_80_20"] = Field("k_fold", description="single_80_20 scores the fifth that is held out, alone")
    folds: int = Field(5, ge=2)
    seed: int = Field(0, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.momentum and self.optimizer != "sgd":
            raise ValueError("momentum belongs to the optimizer sgd")
        if self.split == "single_80_20" and self.folds != 5:  # noqa: PLR2004 - a fifth is 20 %
            raise ValueError("folds must be 5, or absent, where split is single_80_20")
        if self.warm_start and self.pretrained:
            raise ValueError("start from pretrained weights or from warm_start, not both")
        if not self.patience and self.validation_share != type(self).model_fields["validation_share"].default:
            raise ValueError("validation_share belongs to patience")
        return self

    @model_validator(mode="after")
    def _check_trainable(self) -> Self:
        if self.trainable == "all":
            return self
        if not (self.warm_start or (self.pretrained and not self.hidden_layers)):
            raise ValueError("trainable: last_layer freezes untrained layers; give warm_start, or pretrained without hidden_layers")
        if self.augment or self.dropout:
            raise ValueError("trainable: last_layer computes the layers before it once, without dropout and augment; leave both out")
        return self

    @property
    def identity(self) -> str:
        """The key and the digest of every option that differs from its default and can change a score."""
        settings = self.model_dump_json(exclude={"key", "description", "keep_weights"}, exclude_defaults=True)
        return f"{self.key}@{hashlib.sha256(settings.encode()).hexdigest()[:12]}"


def classifiers(settings: Settings) -> Entries[Classifier]:
    """Return the shipped and the user's classifiers by key."""
    return read_folder(Classifier, [settings.assets_data / "classifiers", settings.home / "classifiers"])


def classifier(key: str, settings: Settings) -> Classifier:
    """Return one classifier by key."""
    return pick(classifiers(settings), key, "classifier")
