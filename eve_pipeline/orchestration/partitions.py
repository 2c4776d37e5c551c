"""Partitions: `dataset`, and the grid `model` x `task`, all fed from the registries."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final

import dagster as dg
from sqlalchemy.exc import IntegrityError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random

from eve_pipeline.datasets.registry import dataset_entries
from eve_pipeline.errors import EveError
from eve_pipeline.prompts.variants import prompt_variants
from eve_pipeline.registry import Entries
from eve_pipeline.responses.cells import Cell, subset_datasets, tasks
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.registry import model_entries

DATASETS = dg.DynamicPartitionsDefinition(name="dataset")
MODELS = dg.DynamicPartitionsDefinition(name="model")
TASKS = dg.DynamicPartitionsDefinition(name="task")
GRID = dg.MultiPartitionsDefinition({"model": MODELS, "task": TASKS})


Registered = tuple[Collection[str], Callable[[str], bool]]
"""The keys of the entries that can be read, and whether a key is of one that cannot."""


def _keys(entries: Entries[Any]) -> Registered:
    return entries.keys(), entries.broken.__contains__


def _tasks(settings: Settings) -> Registered:
    subsets, prompts = subset_datasets(settings).broken, prompt_variants(settings).broken

    def is_broken(task: str) -> bool:
        cell = Cell.of("", task)
        return cell.subset in subsets or cell.prompt in prompts

    return tasks(settings), is_broken


DIMENSIONS: Final[dict[str, Callable[[Settings], Registered]]] = {
    "dataset": lambda settings: _keys(dataset_entries(settings)),
    "model": lambda settings: _keys(model_entries(settings)),
    "task": _tasks,
}


def differences(instance: dg.DagsterInstance, settings: Settings) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield, for each dimension, the keys that the registries have and the instance lacks, and those that only the instance has.

    A key whose entry cannot be read is not gone, and no key is where a whole file of entries cannot be.
    """
    for dimension, registered in DIMENSIONS.items():
        try:
            keys, is_broken = registered(settings)
        except EveError:  # whoever needs the entries tells it
            continue
        known = instance.get_dynamic_partitions(dimension)
        gone = [key for key in known if key not in keys and not is_broken(key)]
        yield dimension, [key for key in keys if key not in known], gone


# Dagster looks and inserts in two steps: of two processes that add a key at once, SQLite refuses one, which then finds it there.
@retry(retry=retry_if_exception_type(IntegrityError), stop=stop_after_attempt(10), wait=wait_random(0, 0.2), reraise=True)
def sync_partitions(instance: dg.DagsterInstance, settings: Settings) -> None:
    """Make the partitions what the registries say, also while other processes do."""
    for dimension, new, gone in differences(instance, settings):
        if new:
            instance.add_dynamic_partitions(dimension, new)
        for key in gone:
            instance.delete_dynamic_partition(dimension, key)


def partition_of(cell: Cell) -> dg.MultiPartitionKey:
    """Return a cell's partition key."""
    return dg.MultiPartitionKey({"model": cell.model, "task": cell.task})


def cells_of(context: dg.AssetExecutionContext) -> list[Cell]:
    """Return the cells of a run.

    Raises:
        dagster.Failure: the run has none, as happens to a key range across both dimensions.
    """
    keys = [GRID.get_partition_key_from_str(str(key)).keys_by_dimension for key in context.partition_keys]
    if not keys:
        raise dg.Failure("The run selects no cell; a range of keys must stay within one model or one task.")
    return [Cell.of(key["model"], key["task"]) for key in keys]


def ranges_of(cells: Iterable[Cell], instance: dg.DagsterInstance) -> list[tuple[str, str]]:
    """Return first and last partition key of the key ranges that hold exactly the cells, each within one model or one task."""
    with dg.partition_loading_context(dynamic_partitions_store=instance):
        subset = GRID.subset_with_partition_keys([partition_of(cell) for cell in cells])
        return sorted((keys.start, keys.end) for keys in subset.get_partition_key_ranges(GRID))
