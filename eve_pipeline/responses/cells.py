"""The grid: a cell is one model asked about one subset with one prompt; its task is `<subset>.<prompt>`."""

from collections.abc import Collection
from typing import NamedTuple

from eve_pipeline.datasets.registry import DatasetEntry, dataset_entries
from eve_pipeline.errors import EveError
from eve_pipeline.prompts.variants import prompt_variants
from eve_pipeline.registry import pick
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.registry import model_entries


class Cell(NamedTuple):
    """One square of the grid."""

    model: str
    subset: str
    prompt: str

    @property
    def task(self) -> str:
        """The cell's column: keys hold no dots, so that the name splits again."""
        return f"{self.subset}.{self.prompt}"

    @classmethod
    def of(cls, model: str, task: str) -> "Cell":
        """Return the cell of a model and a task."""
        subset, _, prompt = task.partition(".")
        return cls(model, subset, prompt)

    def __str__(self) -> str:
        return f"{self.model} x {self.task}"


def subset_datasets(settings: Settings) -> dict[str, DatasetEntry]:
    """Return the dataset entry of every subset by the subset's key."""
    return {subset: entry for entry in dataset_entries(settings).values() for subset in entry.subsets}


def tasks(settings: Settings) -> list[str]:
    """Return all tasks: every subset with every prompt."""
    return [Cell("", subset, prompt).task for subset in subset_datasets(settings) for prompt in prompt_variants(settings)]


def select_cells(
    settings: Settings,
    *,
    models: Collection[str],
    datasets: Collection[str] = (),
    subsets: Collection[str] = (),
    prompts: Collection[str] = (),
) -> list[Cell]:
    """Return the cells of the named models, of the named subsets and the named datasets as wholes, with the named prompts (default: all).

    Raises:
        EveError: a key is not known; or neither a dataset nor a subset is named.
    """
    for key in models:
        pick(model_entries(settings), key, "model")
    for key in datasets:
        pick(dataset_entries(settings), key, "dataset")
    for key in subsets:
        pick(subset_datasets(settings), key, "subset")
    variants = prompt_variants(settings)
    for key in prompts:
        pick(variants, key, "prompt")
    wanted = dict.fromkeys([*datasets, *subsets])
    if not (models and wanted):
        raise EveError("Nothing is selected", "Name at least one --model and one --dataset or --subset.")
    return [Cell(model, subset, prompt) for model in models for subset in wanted for prompt in prompts or variants]
