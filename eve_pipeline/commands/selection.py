"""Options that name cells, and the datasets that must be prepared before they can be asked."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from eve_pipeline.commands.datasets import prepare_and_tell
from eve_pipeline.settings import Settings

if TYPE_CHECKING:
    from eve_pipeline.responses.cells import Cell

Models = Annotated[list[str], typer.Option("--model", help="Model to ask; repeatable.")]
Datasets = Annotated[list[str], typer.Option("--dataset", help="Dataset to ask about as a whole; repeatable.")]
Subsets = Annotated[list[str], typer.Option("--subset", help="Subset to ask about; repeatable.")]
Prompts = Annotated[
    list[str], typer.Option("--prompt", help="Prompt to ask with; repeatable; default: all but the families of label orders.")
]
Repeats = Annotated[int, typer.Option(min=1, help="Answers an image, for models that sample.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Ask about this many images only, chosen by hash.")]


def prepare_missing(cells: "Iterable[Cell]", settings: Settings) -> None:
    """Prepare the datasets whose subsets were never chosen."""
    from eve_pipeline.responses.cells import subset_datasets
    from eve_pipeline.warehouse.paths import Warehouse

    missing = {cell.subset for cell in cells if not Warehouse.of(settings).file("benchmark_items", cell.subset).exists()}
    datasets = {entry.key: entry for subset, entry in subset_datasets(settings).items() if subset in missing}
    for entry in datasets.values():
        prepare_and_tell(entry, settings)
