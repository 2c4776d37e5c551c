"""Register a user's own dataset: one YAML file in EVE_HOME/datasets."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict, Unpack

import yaml

from eve_pipeline.datasets.readers import find_reader, read_dataset
from eve_pipeline.datasets.registry import DatasetEntry, dataset_entries
from eve_pipeline.datasets.subsets import HAS_TRUTH
from eve_pipeline.errors import EveError
from eve_pipeline.registry import parse_entry, read_yaml
from eve_pipeline.settings import Settings


class Options(TypedDict, total=False):
    """Fields of a `DatasetEntry` that the user may give; None is the same as not given."""

    rating_scale: Sequence[float] | None
    labels: str | Sequence[str] | None
    neutral_band: float | None
    description: str | None
    licence: str | None
    source: str | None


def add_dataset(key: str, reader: str, path: Path, settings: Settings, **options: Unpack[Options]) -> DatasetEntry:
    """Write EVE_HOME/datasets/<key>.yaml and return the entry; adding the same again changes nothing.

    What the options leave out is taken from a `dataset.yaml` beside the file (in the folder), the label list else from the reader.

    Raises:
        EveError: the reader is unknown, a field is not valid, the dataset cannot be read, none of its files exists, none has a label,
            vote or rating, or the key is taken; nothing is written.
    """
    location = path.expanduser().resolve()
    beside = (location if location.is_dir() else location.parent) / "dataset.yaml"
    given = {name: value for name, value in options.items() if value is not None}
    fields = {"labels": find_reader(reader).DEFAULT_LABELS, **_defaults(beside), **given, "reader": reader, "path": location}
    file = settings.home / "datasets" / f"{key}.yaml"
    entry = parse_entry(DatasetEntry, key, fields, beside if beside.exists() else file)
    if _is_new(entry, settings):
        _require_images(entry, settings)
        _write(entry, file)
    return entry


def _defaults(file: Path) -> dict[str, object]:
    content = read_yaml(file) if file.exists() else {}
    if not isinstance(content, dict):
        raise EveError(f"{file} is not a mapping of fields to values", "Write rating_scale: [1, 7], for example.")
    return {name: value for name, value in content.items() if name != "name"}


def _is_new(entry: DatasetEntry, settings: Settings) -> bool:
    entries = dataset_entries(settings)
    if entries.get(entry.key) == entry:
        return False
    owners = {subset: other.key for other in entries.values() for subset in other.subsets}
    for subset in entry.subsets:
        if subset in owners:
            raise EveError(
                f"{subset!r} is taken by dataset {owners[subset]!r}",
                f"Choose another name, or delete {settings.home / 'datasets' / owners[subset]}.yaml if it is yours.",
            )
    return True


def _require_images(entry: DatasetEntry, settings: Settings) -> None:
    images, rejected = read_dataset(entry, settings)
    if images.is_empty():
        found = f", the first: {rejected['path'][0]}: {rejected['detail'][0]}" if rejected.height else ""
        raise EveError(
            f"{entry.path} has no image that can be used, {rejected.height} rejected{found}", "Correct the path, the reader or --labels."
        )
    if images.filter(HAS_TRUTH).is_empty():
        raise EveError(
            f"{entry.path} has neither a label, a vote nor a rating to score by", f"Add one; the labels are named {entry.labels}."
        )
    root = entry.root(settings).resolve()
    if not any((file := (root / path).resolve()).is_relative_to(root) and file.is_file() for path in images["path"]):
        raise EveError(
            f"None of the {images.height} images that {entry.path} lists is in {root}, the first: {images['path'][0]}",
            "Name the files relative to that folder.",
        )


def _write(entry: DatasetEntry, file: Path) -> None:
    content = entry.model_dump(mode="json", exclude_defaults=True, exclude={"key"})
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".tmp")
    temporary.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    temporary.replace(file)
