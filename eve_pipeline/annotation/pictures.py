"""Where the pictures of a study lie. Their names may tell the dataset's label, so that annotators never see them."""

from pathlib import Path

import polars as pl

from eve_pipeline.datasets.registry import dataset_entries
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table


def picture_files(tasks: pl.DataFrame, settings: Settings) -> dict[str, Path]:
    """Return the file of each task's picture, by task; tasks have the columns task, dataset and image_id.

    Raises:
        EveError: a dataset or an image is not there any more.
    """
    paths = {key: _paths(key, settings) for key in tasks["dataset"].unique()}
    files = {task: paths[dataset].get(image_id) for task, dataset, image_id in tasks.select("task", "dataset", "image_id").iter_rows()}
    found = {task: file for task, file in files.items() if file and file.is_file()}
    if absent := [task for task in files if task not in found]:
        raise EveError(
            f"{len(absent)} pictures of the study are not where they were", "Put the dataset back, or run `eve datasets prepare`."
        )
    return found


def _paths(dataset: str, settings: Settings) -> dict[str, Path]:
    entry = dataset_entries(settings).get(dataset)
    if entry is None:
        raise EveError(f"Dataset {dataset!r} of the study is not there any more", "Add it again: `eve datasets add`.")
    images = read_table("images", [Warehouse.of(settings).file("images", dataset)])
    return {image_id: entry.root(settings) / path for image_id, path in images.select("image_id", "path").iter_rows()}
