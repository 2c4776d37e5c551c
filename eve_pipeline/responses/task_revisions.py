"""What a task asks for today, as one digest: its prompt's texts, and the contents of its images."""

import hashlib
import json
from functools import cache
from pathlib import Path

import polars as pl

from eve_pipeline.emotions.affect import sentiments
from eve_pipeline.emotions.label_sets import resolve_labels
from eve_pipeline.errors import EveError
from eve_pipeline.prompts.rendering import asked_labels, render
from eve_pipeline.prompts.variants import prompt_variant
from eve_pipeline.registry import pick
from eve_pipeline.responses.cells import Cell, subset_datasets
from eve_pipeline.responses.planning import subset_items
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse


def task_revision(task: str, settings: Settings) -> str:
    """Return the SHA-256 over what is asked about which images; the images' labels count only where they decide which are asked about.

    Raises:
        EveError: the subset is not materialized, or its dataset lacks labels of the prompt.
    """
    _, subset, key = Cell.of("", task)
    prompt, dataset = prompt_variant(key, settings), pick(subset_datasets(settings), subset, "subset")
    labels = asked_labels(prompt, resolve_labels(dataset.labels, settings))
    if labels is None:
        raise EveError(
            f"Prompt {key!r} asks about labels that dataset {dataset.key!r} lacks", "Correct the prompt or the dataset's labels."
        )
    texts = [rendered.text for rendered in render(prompt, labels, sentiments(settings))]
    items = _items_digest(subset, dataset.key, labels if prompt.labels else None, Warehouse.of(settings))
    return hashlib.sha256(json.dumps([prompt.revision, list(labels), texts, items]).encode()).hexdigest()


def _items_digest(subset: str, dataset: str, labels: tuple[str, ...] | None, warehouse: Warehouse) -> str:
    files = (warehouse.file("benchmark_items", subset), warehouse.file("images", dataset))
    written = tuple(file.stat().st_mtime_ns if file.exists() else None for file in files)
    return _digest(subset, labels, warehouse.home, written)


@cache
def _digest(subset: str, labels: tuple[str, ...] | None, home: Path, written: tuple[int | None, ...]) -> str:  # noqa: ARG001 - read again when written
    items = subset_items(subset, Warehouse(home))
    asked = items.filter(pl.col("label").is_in(labels)) if labels else items
    rows = asked.select(pl.concat_str("dataset", "image_id", "image_sha256", separator="\0").alias("row")).sort("row")
    return hashlib.sha256("\n".join(rows["row"]).encode()).hexdigest()
