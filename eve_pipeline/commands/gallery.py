"""`eve gallery`: contact sheets of the images that are worth looking at."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained

if TYPE_CHECKING:
    from eve_pipeline.report.gallery import Sheet

gallery_app = typer.Typer(no_args_is_help=True, help="Write contact sheets: hardest images, cells of a confusion matrix, flips.")


class Format(StrEnum):
    """How pictures are written."""

    jpeg = "JPEG"
    png = "PNG"


Subset = Annotated[str, typer.Option(help="Key of the subset.")]
Prompt = Annotated[str, typer.Option(help="Key of the prompt.")]
Model = Annotated[str, typer.Option(help="Key of the model.")]
Most = Annotated[int, typer.Option("--n", min=1, max=500, help="Images on a sheet, at most.")]
Output = Annotated[Path | None, typer.Option(help="Folder to write to; by default gallery in EVE_HOME.")]
Form = Annotated[Format, typer.Option("--format", case_sensitive=False, help="JPEG or PNG.")]


@gallery_app.command()
@explained
def hardest(subset: Subset, prompt: Prompt = "simple", n: Most = 60, output: Output = None, form: Form = Format.jpeg) -> None:
    """Show the images that every model got wrong."""
    from eve_pipeline.report import gallery

    _write(gallery.hardest(subset, prompt, n, Settings()), output, form)


@gallery_app.command()
@explained
def confusion(
    subset: Subset,
    model: Model,
    prompt: Prompt = "simple",
    with_right: Annotated[bool, typer.Option("--with-right", help="The right answers too.")] = False,
    n: Most = 60,
    output: Output = None,
    form: Form = Format.jpeg,
) -> None:
    """Show the images of each cell of a confusion matrix, a sheet a cell."""
    from eve_pipeline.report import gallery

    _write(gallery.confusion(gallery.Side(model, prompt), subset, n, Settings(), with_right=with_right), output, form)


@gallery_app.command()
@explained
def flips(
    subset: Subset,
    model: Model,
    prompt: Prompt = "simple",
    other_model: Annotated[str | None, typer.Option(help="Key of the other model; by default the same.")] = None,
    other_prompt: Annotated[str | None, typer.Option(help="Key of the other prompt; by default the same.")] = None,
    n: Most = 60,
    output: Output = None,
    form: Form = Format.jpeg,
) -> None:
    """Show the images on which two models, or two prompts, differ."""
    from eve_pipeline.report import gallery

    first, second = gallery.Side(model, prompt), gallery.Side(other_model or model, other_prompt or prompt)
    if first == second:
        raise EveError("Both sides are the same", "Give --other-model or --other-prompt.")
    _write(gallery.flips(first, second, subset, n, Settings()), output, form)


def _write(sheets: "Iterator[Sheet]", output: Path | None, form: Format) -> None:
    from eve_pipeline.report.gallery import write_sheets

    settings = Settings()
    for file in write_sheets(sheets, output or settings.home / "gallery", settings, form.value):
        Console().print(str(file), highlight=False, soft_wrap=True, markup=False)
