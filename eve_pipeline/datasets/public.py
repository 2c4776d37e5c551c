"""Public datasets: one YAML file each with everything about them but where a user keeps them (assets_data/public_datasets)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from eve_pipeline.datasets.registry import Digest, Expected, HardSubset
from eve_pipeline.errors import EveError
from eve_pipeline.registry import Entries, Key, pick, read_folder
from eve_pipeline.settings import Settings


class PublicDataset(BaseModel):
    """What a dataset's entry takes over when the dataset is added under its own key, and where to get the files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Key
    reader: str
    labels: str | tuple[str, ...]
    description: str
    licence: str
    source: str
    rating_scale: tuple[float, float] | None = None
    expected: Expected | None = None
    placeholders: tuple[Digest, ...] = ()
    hard_subset: HardSubset | None = Field(None, description="the paper's; an entry has it where the user asks for it")
    download: str | None = Field(
        None, pattern=r"^https?://.*\.(zip|tar|tar\.gz|tgz)(\?.*)?$", description="link to an archive for everyone"
    )
    access: str = Field("", description="where to ask for the files, one sentence, where there is no such link")

    def entry_fields(self, *, hard_subset: bool) -> dict[str, Any]:
        """Return the fields of a `DatasetEntry`, all but its key and path."""
        left_out = {"key", "download", "access"} | (set() if hard_subset else {"hard_subset"})
        return self.model_dump(exclude=left_out, exclude_none=True)


def public_datasets(settings: Settings) -> Entries[PublicDataset]:
    """Return the shipped and the user's descriptions of public datasets by key."""
    return read_folder(PublicDataset, [settings.assets_data / "public_datasets", settings.home / "public_datasets"])


def public_dataset(key: str, settings: Settings) -> PublicDataset:
    """Return one description by key."""
    return pick(public_datasets(settings), key, "public dataset")


def require_links(keys: Sequence[str], settings: Settings) -> None:
    """Raise `EveError`, which says where to ask, for the first dataset that is not known or has no link."""
    for key in keys:
        dataset = public_dataset(key, settings)
        if dataset.download is None:
            raise EveError(
                f"There is no link from which {key!r} can be downloaded. {dataset.access}",
                f"Then add it: eve datasets add {key} --path ARCHIVE_OR_FOLDER",
            )


def fetch_dataset(key: str, settings: Settings) -> Path:
    """Return the archive of a public dataset, downloaded to EVE_HOME/datasets/downloads where it is not there yet.

    Raises:
        EveError: there is no such dataset or no link to it, or the download failed; the hint says how to get it by hand.
    """
    from eve_pipeline.datasets.fetching import fetch

    require_links([key], settings)
    dataset = public_dataset(key, settings)
    try:
        return fetch(str(dataset.download), settings.home / "datasets" / "downloads" / key)
    except EveError as error:
        by_hand = f"get it by hand ({dataset.source}) and run: eve datasets add {key} --path ARCHIVE"
        raise EveError(error.problem, f"{error.hint} Or {by_hand}") from error
