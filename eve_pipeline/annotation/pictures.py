"""Where the pictures of a study lie. Their names may tell the dataset's label, so that annotators never see them."""

from pathlib import Path

import polars as pl
from PIL import Image

from eve_pipeline.datasets.registry import dataset_entries
from eve_pipeline.errors import EveError
from eve_pipeline.pictures import image_file, to_rgb
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table


def picture_files(tasks: pl.DataFrame, settings: Settings) -> dict[str, Path]:
    """Return the file of each task's picture, by task; tasks have the columns task, dataset and image_id.

    Raises:
        EveError: a dataset or an image is not there any more, or a dataset's entry cannot be read.
    """
    paths = {key: _paths(key, settings) for key in tasks["dataset"].unique()}
    files = {task: paths[dataset].get(image_id) for task, dataset, image_id in tasks.select("task", "dataset", "image_id").iter_rows()}
    found = {task: file for task, file in files.items() if file and file.is_file()}
    if absent := [task for task in files if task not in found]:
        raise EveError(
            f"{len(absent)} pictures of the study are not where they were", "Put the dataset back, or run `eve datasets prepare`."
        )
    return found


def write_plain(file: Path, copy: Path) -> None:
    """Write a picture as a JPEG that every browser shows, without the EXIF, names and comments in it, which may tell the label.

    Raises:
        EveError: the picture cannot be read.
    """
    try:
        with Image.open(file) as opened:
            picture = to_rgb(opened)
    except Exception as error:
        raise EveError(f"The picture {file} cannot be read: {error}", "Put it back as it was, or run `eve datasets prepare`.") from error
    picture.info.clear()  # Pillow writes comments of the file that was read
    picture.save(copy, "JPEG", quality=95)


def _paths(dataset: str, settings: Settings) -> dict[str, Path | None]:
    entry = dataset_entries(settings).get(dataset)
    if entry is None:
        raise EveError(f"Dataset {dataset!r} of the study is not there any more", "Add it again: `eve datasets add`.")
    images = read_table("images", [Warehouse.of(settings).file("images", dataset)])
    return {image_id: image_file(entry.root(settings), path) for image_id, path in images.select("image_id", "path").iter_rows()}
