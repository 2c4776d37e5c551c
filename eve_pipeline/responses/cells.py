"""The grid: a cell is one model asked about one subset with one prompt; its task is `<subset>.<prompt>`."""

from collections.abc import Callable, Collection
from itertools import product
from typing import Any, Final, NamedTuple

from eve_pipeline.datasets.public import public_datasets
from eve_pipeline.datasets.registry import DatasetEntry, dataset_entries
from eve_pipeline.emotions.label_sets import resolve_labels
from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.classifiers import classifiers
from eve_pipeline.prompts.rendering import asked_labels
from eve_pipeline.prompts.variants import PromptVariant, prompt_variants
from eve_pipeline.registry import Entries, pick
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.registry import model_entries
from eve_pipeline.warehouse.paths import Warehouse

REGISTRIES: Final[tuple[Callable[[Settings], Entries[Any]], ...]] = (
    model_entries,
    prompt_variants,
    dataset_entries,
    public_datasets,
    classifiers,
)


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


def broken_entries(settings: Settings) -> list[EveError]:
    """Return why entries of any kind, or whole files of entries, cannot be read; nothing where all can."""
    errors: list[EveError] = []
    for read in REGISTRIES:
        try:
            errors.extend(read(settings).broken.values())
        except EveError as error:
            errors.append(error)
    return errors


def subset_datasets(settings: Settings) -> Entries[DatasetEntry]:
    """Return the dataset entry of every subset by the subset's key; one that cannot be read may have a hard subset."""
    datasets = dataset_entries(settings)
    return Entries(
        {subset: entry for entry in datasets.values() for subset in entry.subsets},
        {subset: error for key, error in datasets.broken.items() for subset in (key, f"{key}-hard")},
    )


def tasks(settings: Settings) -> list[str]:
    """Return all tasks whose entries can be read: every subset with every prompt whose labels its dataset has."""
    variants = prompt_variants(settings).values()
    return [
        Cell("", subset, prompt.key).task
        for subset, entry in subset_datasets(settings).items()
        for prompt in variants
        if _can_ask(prompt, entry, settings)
    ]


def _can_ask(prompt: PromptVariant, dataset: DatasetEntry, settings: Settings) -> bool:
    return not prompt.labels or asked_labels(prompt, resolve_labels(dataset.labels, settings)) is not None


def _pick_model(key: str, settings: Settings) -> None:
    entries = model_entries(settings)
    if entries.get(key) is None and Warehouse.of(settings).folder("requests").joinpath(key).is_dir():
        raise EveError(
            f"Model {key!r} was imported, or its entry is gone: its answers can be read, but it cannot be asked",
            f"Name a model that has an entry: {', '.join(entries)}.",
        )
    pick(entries, key, "model")


def select_cells(
    settings: Settings,
    *,
    models: Collection[str],
    datasets: Collection[str] = (),
    subsets: Collection[str] = (),
    prompts: Collection[str] = (),
) -> list[Cell]:
    """Return the cells of the named models, of the named subsets and the named datasets as wholes, with the named prompts.

    Where no prompt is named, it is all but the families, which ask about each image many times.

    Raises:
        EveError: a key is not known, or its entry cannot be read (any prompt's, where none is named); neither a dataset nor a subset is
            named; or a named prompt asks about labels that a dataset lacks.
    """
    for key in models:
        _pick_model(key, settings)
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
    entries = subset_datasets(settings)
    for key, subset in product(prompts, wanted):
        if not _can_ask(variants[key], entries[subset], settings):
            raise EveError(
                f"Prompt {key!r} cannot ask about {subset!r}: that dataset's list lacks some of {', '.join(variants[key].labels or ())}",
                f"Leave one of them out; its labels are {', '.join(resolve_labels(entries[subset].labels, settings))}.",
            )
    chosen = [variants[key] for key in prompts] or [prompt for prompt in variants.complete().values() if not prompt.is_family]
    return [
        Cell(model, subset, prompt.key)
        for model, subset, prompt in product(models, wanted, chosen)
        if _can_ask(prompt, entries[subset], settings)
    ]
