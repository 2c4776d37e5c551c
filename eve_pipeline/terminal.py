"""How commands speak: tables on standard output, errors as two sentences."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Literal, ParamSpec

import polars as pl
import typer
from pydantic import ValidationError
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from eve_pipeline.errors import EveError
from eve_pipeline.files import is_out_of_room, unwritable
from eve_pipeline.settings import Settings

Arguments = ParamSpec("Arguments")
WHOLE_WORDS = (30, 20, 10, 0)  # up to this length a value is not broken over lines: the first with which the columns fit


def explained(command: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Show an `EveError`, a disk without room or a missing right as two sentences and exit with 1."""

    @wraps(command)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            _check_settings()
            command(*args, **kwargs)
        except EveError as error:
            tell_error(error)
            raise typer.Exit(1) from error
        except PermissionError as error:
            tell_error(
                EveError(f"{error.filename}: {error.strerror}", "Give yourself the right to it, or run as the user whose EVE_HOME it is.")
            )
            raise typer.Exit(1) from error
        except OSError as error:
            if not is_out_of_room(error):
                raise
            tell_error(unwritable(Path(error.filename or Settings().home), error))
            raise typer.Exit(1) from error

    return run


def tell_error(error: EveError) -> None:
    """Print the two sentences of an error on standard error."""
    console = Console(stderr=True)
    console.print(f"[bold red]Error:[/] {escape(error.problem)}", highlight=False)
    console.print(error.hint, highlight=False, markup=False)


def tell_warning(warning: str) -> None:
    """Print one sentence that stops nothing on standard error."""
    Console(stderr=True).print(f"[bold yellow]Warning:[/] {escape(warning)}", highlight=False)


def _check_settings() -> None:
    try:
        Settings()
    except ValidationError as error:
        wrong = "; ".join(f"EVE_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise EveError(f"The environment is not valid: {wrong}", "Correct or unset the variable.") from error


def show(frame: pl.DataFrame, title: str = "") -> None:
    """Print a frame as a table, floats with three digits."""
    rows = [
        ["" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value) for value in row] for row in frame.iter_rows()
    ]
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    longest = [max(map(len, [*name.split(), *(row[number] for row in rows)])) for number, name in enumerate(frame.columns)]
    console, gaps = Console(), 3 * frame.width
    whole = next(most for most in WHOLE_WORDS if not most or sum(min(length, most) for length in longest) + gaps <= console.width)
    for (name, dtype), length in zip(frame.schema.items(), longest, strict=True):
        justify: Literal["left", "right"] = "right" if dtype.is_numeric() else "left"
        table.add_column(name, justify=justify, overflow="fold", min_width=min(length, whole))
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)
