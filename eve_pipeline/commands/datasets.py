"""`eve datasets ...`: list, add, fetch and prepare datasets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import polars as pl
import typer
from rich.console import Console

from eve_pipeline.commands.warnings import warn_of_broken_entries
from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained, show

if TYPE_CHECKING:
    from eve_pipeline.datasets.registry import DatasetEntry

datasets_app = typer.Typer(invoke_without_command=True, help="List the datasets, fetch public ones, or add your own.")
HardSubset = Annotated[bool, typer.Option(help="Also choose the public dataset's hard subset; it trains a ViT, which needs a GPU.")]


@datasets_app.callback()
@explained
def datasets(context: typer.Context) -> None:
    """List the datasets, their readers, subsets and images."""
    from eve_pipeline.datasets.registry import dataset_entries
    from eve_pipeline.warehouse.paths import Warehouse
    from eve_pipeline.warehouse.tables import read_table

    if context.invoked_subcommand:
        return
    settings = Settings()
    rows = []
    for entry in dataset_entries(settings).values():
        file = Warehouse.of(settings).file("images", entry.key)
        n_images = read_table("images", [file]).height if file.exists() else None
        rows.append({"dataset": entry.key, "reader": entry.reader, "subsets": ", ".join(entry.subsets), "images": n_images})
    show(pl.DataFrame(rows, schema_overrides={"images": pl.Int64}))
    warn_of_broken_entries(settings)


@datasets_app.command("add")
@explained
def add(
    name: Annotated[str, typer.Argument(help="Key of the dataset; emoset, fi, emotion6, artphoto and abstract are known.")],
    path: Annotated[Path, typer.Option(help="Folder, manifest file, or archive (.zip, .tar.gz) as you downloaded it.")],
    reader: Annotated[str | None, typer.Option(help="How it is laid out: folder, manifest or a public dataset's reader.")] = None,
    labels: Annotated[str | None, typer.Option(help="Label list to prompt with.")] = None,
    rating_scale: Annotated[tuple[float, float] | None, typer.Option(help="Lowest and highest rating.")] = None,
    hard_subset: HardSubset = False,
) -> None:
    """Add a public dataset or your own; it is read once first, so that what is wrong with it shows now."""
    from eve_pipeline.datasets.adding import add_dataset

    settings = Settings()
    entry = add_dataset(name, reader, path, settings, hard_subset=hard_subset, rating_scale=rating_scale, labels=labels)
    _tell_added(entry)


@datasets_app.command("fetch")
@explained
def fetch(
    names: Annotated[list[str], typer.Argument(help="Public datasets with an open link: artphoto, abstract.")],
) -> None:
    """Download public datasets and add them; a download that was cut is continued."""
    from eve_pipeline.datasets.adding import add_dataset
    from eve_pipeline.datasets.public import fetch_dataset, require_links

    settings = Settings()
    require_links(names, settings)
    for name in names:
        _tell_added(add_dataset(name, None, fetch_dataset(name, settings), settings))


@datasets_app.command("prepare")
@explained
def prepare(name: Annotated[str, typer.Argument(help="Key of the dataset.")]) -> None:
    """Read a dataset anew and choose its subsets, after its files or its entry have changed."""
    from eve_pipeline.datasets.registry import dataset_entry

    settings = Settings()
    prepare_and_tell(dataset_entry(name, settings), settings)


def _tell_added(entry: "DatasetEntry") -> None:
    subsets = f" with {' and '.join(entry.subsets[1:])}" if entry.subsets[1:] else ""
    command = f"eve run --dataset {entry.key} --model demo-llava-base --prompt simple"
    Console().print(f"Added dataset {entry.key!r}{subsets}. Ask a model about it: {command}", soft_wrap=True)  # to be copied in one piece


def prepare_and_tell(entry: "DatasetEntry", settings: Settings) -> None:
    """Prepare a dataset and tell, on standard error, the size of its subsets, what was rejected and which counts were not expected."""
    from eve_pipeline.hard_subset.items import prepare_dataset
    from eve_pipeline.orchestration.reporting import report_dataset

    items = prepare_dataset(entry, settings)
    report_dataset(entry.key, settings)
    for line in (*(f"{subset}: {n} items" for subset, n in items.counts.items()), *items.notes):
        Console(stderr=True).print(line, highlight=False, markup=False)
