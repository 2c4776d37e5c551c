"""`eve import`: take in what other tools made."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from eve_pipeline.commands.publish import publish_and_tell
from eve_pipeline.commands.selection import prepare_missing
from eve_pipeline.commands.warnings import warn_of_broken_entries
from eve_pipeline.errors import EveError
from eve_pipeline.registry import KEY_PATTERN
from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained, show

if TYPE_CHECKING:
    from eve_pipeline.responses.cells import Cell
    from eve_pipeline.responses.importing.importing import Imported

SHOWN = 20


@explained
def import_responses(
    file: Annotated[Path, typer.Argument(help="CSV, JSON or JSON Lines, or a sample log of lmms-eval or inspect_ai.")],
    model: Annotated[str, typer.Option(help="Key to show its answers under; no entry of models.yaml.")],
    dataset: Annotated[str, typer.Option(help="Dataset whose images it is about.")],
    prompt: Annotated[str, typer.Option(help="Prompt that was asked, or the one that resembles it.")],
    subset: Annotated[str | None, typer.Option(help="Subset of the dataset; default: all of it.")] = None,
    image_column: Annotated[str | None, typer.Option(help="Column, or field as in doc.file, that names the image.")] = None,
    response_column: Annotated[str | None, typer.Option(help="Column of the raw response.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Column of the label that was read in the response.")] = None,
    publish: Annotated[bool, typer.Option(help="Publish eve.duckdb at the end.")] = True,
) -> None:
    """Take in another tool's responses to a dataset's images; they are scored like any others, and never stand for a model's own."""
    from eve_pipeline.responses.importing.importing import import_file
    from eve_pipeline.responses.importing.rows import Columns

    settings = Settings()
    cell = _checked_cell(model, dataset, subset, prompt, settings)
    warn_of_broken_entries(settings)
    prepare_missing([cell], settings)
    imported = import_file(file, cell, settings, Columns(image_column, response_column, label_column))
    _tell(imported)
    if publish:
        publish_and_tell(settings)


def _checked_cell(model: str, dataset: str, subset: str | None, prompt: str, settings: Settings) -> "Cell":
    import re

    from eve_pipeline.datasets.registry import dataset_entries
    from eve_pipeline.prompts.variants import prompt_variants
    from eve_pipeline.registry import pick
    from eve_pipeline.responses.cells import Cell
    from eve_pipeline.vlms.registry import model_entries

    if not re.fullmatch(KEY_PATTERN, model):
        raise EveError(f"{model!r} is no key", f"Choose one that matches {KEY_PATTERN}.")
    if model_entries(settings).get(model):
        raise EveError(f"{model!r} is an entry of models.yaml", f"Choose a key of its own, such as {model[:55]}-imported.")
    entry = pick(dataset_entries(settings), dataset, "dataset")
    pick(prompt_variants(settings), prompt, "prompt")
    if subset is not None and subset not in entry.subsets:
        raise EveError(f"Dataset {dataset!r} has no subset {subset!r}", f"It has {', '.join(entry.subsets)}.")
    return Cell(model, subset or dataset, prompt)


def _tell(imported: "Imported") -> None:
    tell = Console(highlight=False, soft_wrap=True).print
    unmatched, n_named = imported.unmatched, imported.n_named
    statuses = imported.answers.group_by("status").len("rows").sort("rows", "status", descending=[True, False])
    show(statuses, title=str(imported.cell))
    tell(f"{imported.n_rows} rows read: {imported.answers.height} are about images of the subset, {unmatched.height} went nowhere.")
    tell(f"{imported.n_new} responses are new.")
    if unmatched.height:
        show(
            unmatched.head(SHOWN).rename({"number": "row"}),
            title=f"Rows that went nowhere: {min(SHOWN, unmatched.height)} of {unmatched.height}",
        )
        tell(f"All of them: {imported.unmatched_file}")
    if n_named < imported.n_images:
        tell(f"{imported.n_images - n_named} of the subset's {imported.n_images} images have no row; scores are over the others.")
