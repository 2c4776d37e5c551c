"""Dataset entries: one YAML file a dataset, shipped or the user's own (EVE_HOME/datasets)."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from eve_pipeline.emotions.label_sets import resolve_labels
from eve_pipeline.errors import EveError
from eve_pipeline.registry import Entries, Key, pick, read_folder
from eve_pipeline.settings import Settings

Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class Draw(BaseModel):
    """Draw the dataset's pictures instead of reading a user's folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int
    per_emotion: int = Field(ge=1)


class HardSubset(BaseModel):
    """How `<dataset>-hard` is chosen: images whose out-of-fold p_true is below `threshold`, then a seeded draw of `n`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    classifier: Key = Field(description="name of a file in assets_data/classifiers")
    n: int = Field(ge=1)
    threshold: float = Field(0.8, gt=0, le=1)
    allocation: Literal["proportional", "balanced"] = "proportional"
    seed: int = 0


class Expected(BaseModel):
    """Counts of the images that a public dataset lists; what departs from them is told, and nothing is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: tuple[int, int] = Field(description="fewest and most: public copies differ")
    labels: dict[str, int] = Field(default_factory=dict, description="images by label")


class DatasetEntry(BaseModel):
    """One dataset: which reader reads which folder or file, and the label list to prompt with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Key
    reader: str = Field(description="name of a module in eve_pipeline.datasets.readers")
    labels: str | tuple[str, ...] = Field(description="name of a list in assets_data/label_sets.yaml, or the labels")
    path: Path | None = None
    draw: Draw | None = None
    rating_scale: tuple[float, float] | None = None
    neutral_band: float = Field(0, ge=0)
    hard_subset: HardSubset | None = None
    expected: Expected | None = None
    placeholders: tuple[Digest, ...] = Field((), description="SHA-256 of pictures that stand for removed ones")
    description: str = ""
    licence: str = ""
    source: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.path is None) == (self.draw is None):
            raise ValueError("give either path or draw")
        if self.rating_scale and self.rating_scale[0] >= self.rating_scale[1]:
            raise ValueError("rating_scale is [lowest, highest]")
        return self

    @property
    def subsets(self) -> tuple[str, ...]:
        """Keys of the dataset's subsets; its own key is the subset of all its images."""
        return (self.key, f"{self.key}-hard") if self.hard_subset else (self.key,)

    def location(self, settings: Settings) -> Path:
        """The folder or file that the reader reads."""
        return self.path or settings.home / "datasets" / "drawn" / self.key

    def root(self, settings: Settings) -> Path:
        """The folder that image paths are relative to."""
        location = self.location(settings)
        return location.parent if location.is_file() else location


def dataset_entries(settings: Settings) -> Entries[DatasetEntry]:
    """Return the shipped and the user's entries by key; those of an unknown label list, or with a subset of another's name, are broken."""
    entries = read_folder(DatasetEntry, [settings.assets_data / "datasets", settings.home / "datasets"])
    owners = Counter(subset for entry in entries.values() for subset in entry.subsets)
    broken = dict(entries.broken)
    for entry in entries.values():
        try:
            _check(entry, owners, settings)
        except EveError as error:
            broken[entry.key] = error
    return Entries({key: entry for key, entry in entries.items() if key not in broken}, broken)


def _check(entry: DatasetEntry, owners: Counter[str], settings: Settings) -> None:
    try:
        resolve_labels(entry.labels, settings)
    except EveError as error:
        raise EveError(f"The dataset {entry.key!r} cannot be used: {error.problem}", error.hint) from error
    if twice := [subset for subset in entry.subsets if owners[subset] > 1]:
        raise EveError(f"Several datasets have a subset {twice[0]!r}, among them {entry.key!r}", "Rename one of the datasets.")


def dataset_entry(key: str, settings: Settings) -> DatasetEntry:
    """Return one entry by key."""
    return pick(dataset_entries(settings), key, "dataset")
