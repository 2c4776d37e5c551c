"""Register a dataset: one YAML file in EVE_HOME/datasets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

import yaml

from eve_pipeline.datasets.archives import is_archive, unpack, unpacked
from eve_pipeline.datasets.public import public_datasets
from eve_pipeline.datasets.readers import find_reader, read_dataset, reader_names
from eve_pipeline.datasets.reading import is_text, printable
from eve_pipeline.datasets.registry import DatasetEntry, dataset_entries
from eve_pipeline.datasets.subsets import HAS_TRUTH
from eve_pipeline.errors import EveError
from eve_pipeline.files import replacing
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


def add_dataset(
    key: str, reader: str | None, path: Path, settings: Settings, *, hard_subset: bool = False, **options: Unpack[Options]
) -> DatasetEntry:
    """Write EVE_HOME/datasets/<key>.yaml and return the entry; adding the same again changes nothing but whether it has a hard subset.

    What the options leave out is taken from a `dataset.yaml` beside the file (in the folder), else from the public dataset of that key,
    else the label list from the reader. An archive is unpacked below EVE_HOME first. Where the only folder in `path` holds what the
    reader looks for, and `path` itself does not, that folder is the dataset's: an image's id does not depend on how it was unpacked.

    Args:
        key: the dataset's key.
        reader: name of a reader; None takes the public dataset's.
        path: folder, file or archive.
        settings: where EVE_HOME is.
        hard_subset: whether the public dataset's hard subset is wanted.
        options: fields of the entry.

    Raises:
        EveError: the reader is unknown, a field is not valid, the dataset cannot be read, none of its files exists, none has a label,
            vote or rating, or the key is taken; no entry is written.
    """
    file = settings.home / "datasets" / f"{key}.yaml"
    known = _known_fields(key, reader, settings, hard_subset=hard_subset)
    given = {name: value for name, value in options.items() if value is not None}
    parse_entry(DatasetEntry, key, {**known, **given, "path": path}, file)  # what is wrong with them shows before anything is unpacked
    location = _location(key, path, settings)
    beside = (location if location.is_dir() else location.parent) / "dataset.yaml"
    fields = {**known, **_defaults(beside), **given, "reader": known["reader"], "path": location}
    entry = parse_entry(DatasetEntry, key, fields, beside if beside.exists() else file)
    candidates = (entry, *_deeper(entry))
    if there := _already(candidates, settings):
        return there
    _require_free(candidates[0], settings)
    entry = _first_readable(candidates, settings)
    _write(entry, file)
    return entry


def _known_fields(key: str, reader: str | None, settings: Settings, *, hard_subset: bool) -> dict[str, Any]:
    """Return what is known of a dataset before any of its files is seen."""
    public = public_datasets(settings)
    if key in public and reader in {None, public[key].reader}:
        if hard_subset and public[key].hard_subset is None:
            raise EveError(f"No hard subset of {key!r} is described", "Leave --hard-subset out.")
        return public[key].entry_fields(hard_subset=hard_subset)
    if reader is None:
        raise EveError(
            f"{key!r} is not one of the public datasets {', '.join(public)}",
            f"Say how it is laid out with --reader, one of {', '.join(reader_names())}.",
        )
    if hard_subset:
        raise EveError(f"No hard subset of {key!r} is described", "Write hard_subset: {classifier: ..., n: ...} in its dataset.yaml.")
    return {"reader": reader, "labels": find_reader(reader).DEFAULT_LABELS}


def _location(key: str, path: Path, settings: Settings) -> Path:
    try:
        location = path.expanduser().resolve()
    except RuntimeError as error:  # ~ of an unknown user, links in a circle
        raise EveError(f"{path} leads nowhere: {error}", "Correct the dataset's path.") from error
    if not is_text(str(location)):
        raise EveError(f"The name {printable(str(location))} is not UTF-8, and no table can hold it", "Rename the file or folder.")
    if not is_archive(location):
        return location
    folder, there = settings.home / "datasets" / "files" / key, dataset_entries(settings).get(key)
    if there and not (there.path and there.path.is_relative_to(unpacked(location, folder))):
        raise _taken(key, key, settings)
    return unpack(location, folder)


def _deeper(entry: DatasetEntry) -> tuple[DatasetEntry, ...]:
    """Return the same entry at the only folder that its folder holds, and at the only one in that."""
    location = entry.path
    folders = [path for path in location.iterdir() if path.is_dir() and not _is_debris(path)] if location and location.is_dir() else []
    if len(folders) != 1 or folders[0].is_symlink():
        return ()
    inner = entry.model_copy(update={"path": folders[0]})
    return (inner, *_deeper(inner))


def _is_debris(path: Path) -> bool:
    return path.name.startswith((".", "__MACOSX"))


def _defaults(file: Path) -> dict[str, object]:
    content = read_yaml(file) if file.exists() else {}
    if not isinstance(content, dict):
        raise EveError(f"{file} is not a mapping of fields to values", "Write rating_scale: [1, 7], for example.")
    return {name: value for name, value in content.items() if name != "name"}


def _already(candidates: Sequence[DatasetEntry], settings: Settings) -> DatasetEntry | None:
    """Return the entry that is there, if it is one of the candidates; one that differs in its hard subset alone is replaced."""
    there = dataset_entries(settings).get(candidates[0].key)
    for candidate in candidates:
        if there and there.model_copy(update={"hard_subset": candidate.hard_subset}) == candidate:
            if there != candidate:
                _require_free(candidate, settings, replaced=there.key)
                _write(candidate, settings.home / "datasets" / f"{candidate.key}.yaml")
            return candidate
    return None


def _require_free(entry: DatasetEntry, settings: Settings, replaced: str | None = None) -> None:
    others = (other for other in dataset_entries(settings).values() if other.key != replaced)
    owners = {subset: other.key for other in others for subset in other.subsets}
    for subset in entry.subsets:
        if subset in owners:
            raise _taken(subset, owners[subset], settings)


def _taken(subset: str, owner: str, settings: Settings) -> EveError:
    return EveError(
        f"{subset!r} is taken by dataset {owner!r}",
        f"Choose another name, or delete {settings.home / 'datasets' / owner}.yaml if it is yours.",
    )


def _first_readable(candidates: Sequence[DatasetEntry], settings: Settings) -> DatasetEntry:
    """Return the first candidate that can be read; `EveError` is the first one's, as that is the folder the user named."""
    errors = []
    for candidate in candidates:
        try:
            _require_images(candidate, settings)
        except EveError as error:
            errors.append(error)
        else:
            return candidate
    raise errors[0]


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
    with replacing(file) as temporary:
        temporary.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
