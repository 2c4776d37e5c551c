"""Named label lists, in the order in which prompts show them."""

from collections.abc import Sequence

from pydantic import TypeAdapter

from eve_pipeline.errors import EveError
from eve_pipeline.registry import read_yaml
from eve_pipeline.settings import Settings

Labels = tuple[str, ...]


def label_sets(settings: Settings) -> dict[str, Labels]:
    """Return the shipped label lists by name."""
    return TypeAdapter(dict[str, Labels]).validate_python(read_yaml(settings.assets_data / "label_sets.yaml"))


def resolve_labels(labels: str | Sequence[str], settings: Settings) -> Labels:
    """Return the label list that an entry names or spells out; `EveError` lists the known names."""
    if not isinstance(labels, str):
        return tuple(labels)
    known = label_sets(settings)
    if labels not in known:
        raise EveError(
            f"There is no label list {labels!r}",
            f"Known: {', '.join(known)}; or list them under labels: in dataset.yaml or the dataset's entry.",
        )
    return known[labels]
