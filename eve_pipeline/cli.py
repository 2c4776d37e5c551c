"""`eve ...`: the pipeline from the shell."""

import atexit
import os
import sys
from typing import Annotated

import polars as pl
import typer
from rich.console import Console

from eve_pipeline.commands.annotate import annotate_app
from eve_pipeline.commands.app import app as explorer
from eve_pipeline.commands.check import check
from eve_pipeline.commands.collect import collect
from eve_pipeline.commands.compact import compact
from eve_pipeline.commands.datasets import datasets_app
from eve_pipeline.commands.doctor import doctor
from eve_pipeline.commands.export import export
from eve_pipeline.commands.gallery import gallery_app
from eve_pipeline.commands.import_responses import import_responses
from eve_pipeline.commands.plan import plan
from eve_pipeline.commands.prune import prune
from eve_pipeline.commands.publish import publish
from eve_pipeline.commands.report import report
from eve_pipeline.commands.run import run
from eve_pipeline.commands.sql import sql
from eve_pipeline.commands.ui import ui
from eve_pipeline.commands.verify import verify
from eve_pipeline.commands.warnings import warn_of_broken_entries
from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained, show

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
for command in (run, plan, publish, report, collect, compact, prune, export, verify, sql, doctor, ui, check):
    app.command()(command)
app.command("import")(import_responses)
app.command("app")(explorer)
app.add_typer(datasets_app, name="datasets")
app.add_typer(gallery_app, name="gallery")
app.add_typer(annotate_app, name="annotate")


def main() -> None:
    """Run the command line.

    It leaves without the interpreter's own clearing up, in which DuckDB's bindings complain of objects that torch keeps alive.
    """
    try:
        app()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        atexit._run_exitfuncs()  # noqa: SLF001 - there is no public name for it
        os._exit(end.code if isinstance(end.code, int) else bool(end.code))


@app.command()
@explained
def demo() -> None:
    """Run the whole pipeline on the embedded dataset and models, through Dagster."""
    from eve_pipeline.orchestration.definitions import build_definitions
    from eve_pipeline.orchestration.demo import run_demo
    from eve_pipeline.orchestration.instance import open_instance
    from eve_pipeline.orchestration.launching import Launcher

    settings = Settings()
    with open_instance(settings) as instance:
        launcher = Launcher(build_definitions(settings), instance, settings)
        run_demo(launcher, settings, tell=Console(stderr=True).print)
    _leaderboard(settings)


@app.command()
@explained
def models() -> None:
    """List the models that can be asked."""
    from eve_pipeline.vlms.registry import model_entries

    settings = Settings()
    rows = [{"model": e.key, "backend": e.backend, "id": e.id, "at": str(e.base_url or "")} for e in model_entries(settings).values()]
    show(pl.DataFrame(rows))
    warn_of_broken_entries(settings)


@app.command()
@explained
def prompts(text: Annotated[bool, typer.Option(help="Show the texts too.")] = False) -> None:
    """List the prompt variants."""
    from eve_pipeline.prompts.variants import prompt_variants

    settings = Settings()
    variants = prompt_variants(settings).values()
    rows = [{"prompt": v.key, "revision": v.revision, "description": v.description} | ({"text": v.text} if text else {}) for v in variants]
    show(pl.DataFrame(rows))
    warn_of_broken_entries(settings)


def _leaderboard(settings: Settings) -> None:
    from eve_pipeline.warehouse.paths import Warehouse
    from eve_pipeline.warehouse.query import named_query, run_query

    warehouse, leaderboard = Warehouse.of(settings), named_query("leaderboard", settings)
    places = run_query(warehouse.database, leaderboard.sql, leaderboard.parameters)
    show(places.rename(lambda name: name.replace("_", "\n")), title="Leaderboard (prompt: simple, scoring: strict)")
    made = {
        "report (HTML)": warehouse.report,
        "results (DuckDB)": warehouse.database,
        "tables (Parquet)": warehouse.home / "warehouse",
        "runs (Dagster)": warehouse.home / "dagster",
    }
    for what, path in made.items():
        Console().print(f"{what:18} {path}", highlight=False, soft_wrap=True)
