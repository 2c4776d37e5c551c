"""`eve annotate ...`: people judge whether a model's errors are errors."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import polars as pl
import typer
from rich.console import Console

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained, show

if TYPE_CHECKING:
    from eve_pipeline.annotation.sampling import Wanted

annotate_app = typer.Typer(no_args_is_help=True, help="Have people judge models' errors: draw a study, invite, export and import sheets.")
Study = Annotated[str, typer.Argument(help="Name of the study.")]


@annotate_app.command("sample")
@explained
def sample(
    n: Annotated[int, typer.Option("--n", min=1, help="Errors to draw.")] = 500,
    study: Annotated[str, typer.Option(help="Name of the study.")] = "study",
    models: Annotated[list[str], typer.Option("--model", help="Model whose errors are drawn; repeatable; default: all.")] = [],  # noqa: B006
    datasets: Annotated[list[str], typer.Option("--dataset", help="Dataset to draw from; repeatable; default: all.")] = [],  # noqa: B006
    subsets: Annotated[list[str], typer.Option("--subset", help="Subset to draw from; repeatable; default: all.")] = [],  # noqa: B006
    prompt: Annotated[str, typer.Option(help="Prompt whose answers are judged.")] = "simple",
    controls: Annotated[float, typer.Option(min=0, max=1, help="Control items for each error, such as 0.1.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
) -> None:
    """Draw a study of published errors, stratified by error category, dataset and model, with control items mixed in."""
    from eve_pipeline.annotation.sampling import Wanted
    from eve_pipeline.annotation.studies import make_study
    from eve_pipeline.warehouse.paths import Warehouse

    wanted = Wanted(n, controls, seed, prompt, models, datasets, subsets)
    drawn = make_study(study, wanted, Warehouse.of(Settings()))
    parts = pl.col("stratum").str.splitn(" ", 3).struct.rename_fields(["category", "dataset", "model or label"])
    strata = drawn.tasks.group_by(parts).len("n")
    show(strata.unnest("stratum").sort(pl.all()), title=f"Study {study}")
    for line in _sentences(drawn.tasks, wanted, drawn.n_errors, drawn.n_agreed):
        Console().print(line, highlight=False, soft_wrap=True)


def _sentences(tasks: pl.DataFrame, wanted: "Wanted", n_errors: int, n_agreed: int) -> list[str]:
    n_controls = tasks["is_control"].sum()
    n = tasks.height - n_controls
    lines = [f"{n} of {n_errors} distinct errors, and {n_controls} control items of {n_agreed} images about which all answers are right."]
    if n < wanted.n:
        lines.append(f"Fewer errors are there than the {wanted.n} that were wanted: all were taken.")
    if n_controls < wanted.n_controls:
        lines.append(f"Fewer control items are there than the {wanted.n_controls} that were wanted: all were taken.")
    return [*lines, "Answer it on the page Annotate of `eve app`, or on a sheet: `eve annotate export`."]


@annotate_app.command("invite")
@explained
def invite(
    study: Study,
    name: Annotated[str, typer.Argument(help="Name of the annotator.")],
    renew: Annotated[bool, typer.Option("--renew", help="Make a new token for one who has one; the old one ends.")] = False,
) -> None:
    """Make a token with which an annotator opens the study from elsewhere, and sees nothing else."""
    from eve_pipeline.annotation.invitations import invite as make_token
    from eve_pipeline.warehouse.paths import Warehouse

    token = make_token(study, name, Warehouse.of(Settings()), renew=renew)
    Console(stderr=True).print(
        f"{name} opens <address of the app>/?token=<this token>, also to go on later: it is shown once, and only its hash is kept."
    )
    Console().print(token, highlight=False, soft_wrap=True)


@annotate_app.command("export")
@explained
def export(
    study: Study,
    annotator: Annotated[str, typer.Option(help="Whose sheet it is: each annotator's has the labels in an order of its own.")],
    output: Annotated[Path, typer.Option(help="New folder for the sheet and its pictures.")],
    kind: Annotated[Literal["csv", "label-studio"], typer.Option("--format", help="What it is to be opened with.")] = "csv",
) -> None:
    """Write a sheet for one who annotates elsewhere, with the pictures beside it."""
    from eve_pipeline.annotation.sheets import export_sheet

    Console().print(str(export_sheet(study, annotator, kind, output, Settings())), highlight=False, soft_wrap=True)


@annotate_app.command("import")
@explained
def import_(
    study: Study,
    file: Annotated[Path, typer.Argument(help="Filled-in sheet (CSV), or Label Studio's export (JSON).")],
    annotator: Annotated[str, typer.Option(help="Who filled it in.")],
) -> None:
    """Take in a filled-in sheet; every row is checked, and nothing is stored while one is bad."""
    from eve_pipeline.annotation.sheets import import_sheet
    from eve_pipeline.warehouse.paths import Warehouse

    imported = import_sheet(study, annotator, file, Warehouse.of(Settings()))
    if n_bad := imported.problems.height:
        show(imported.problems)
        raise EveError(f"{n_bad} rows of {file} are bad, so that nothing was stored", "Correct them and import the file again.")
    Console().print(
        f"{imported.n_new} answers are new, {imported.n_known} were stored before, {imported.n_blank} questions are open.", highlight=False
    )


@annotate_app.command("status")
@explained
def status() -> None:
    """Show all studies, and how far everyone is."""
    from eve_pipeline.annotation.studies import status as all_studies
    from eve_pipeline.warehouse.paths import Warehouse

    found = all_studies(Warehouse.of(Settings()))
    if found.is_empty():
        Console().print("There is no study yet; draw one: eve annotate sample")
        return
    show(found.with_columns(pl.col("last_at").dt.strftime("%Y-%m-%d %H:%M UTC")))
