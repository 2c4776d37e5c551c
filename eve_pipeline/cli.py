"""`eve ...`: the pipeline from the shell."""

import atexit
import io
import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import polars as pl
import polars.selectors as cs
import typer
import yaml
from rich.console import Console

from eve_pipeline.dataset_commands import datasets_app, prepare_and_tell
from eve_pipeline.errors import EveError
from eve_pipeline.settings import PROJECT, Settings
from eve_pipeline.terminal import explained, show

if TYPE_CHECKING:
    from eve_pipeline.responses.cells import Cell

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=__doc__)
app.add_typer(datasets_app, name="datasets")

Keys = list[str]


class Format(StrEnum):
    """How query results are written."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


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
def run(
    model: Annotated[Keys, typer.Option(help="Model to ask; repeatable.")],
    dataset: Annotated[Keys, typer.Option(help="Dataset to ask about as a whole; repeatable.")] = [],  # noqa: B006 - typer copies it
    subset: Annotated[Keys, typer.Option(help="Subset to ask about; repeatable.")] = [],  # noqa: B006
    prompt: Annotated[Keys, typer.Option(help="Prompt to ask with; repeatable; default: all but the families of label orders.")] = [],  # noqa: B006
    repeats: Annotated[int, typer.Option(min=1, help="Answers an image, for models that sample.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask about this many images only, chosen by hash.")] = None,
    publish: Annotated[bool, typer.Option(help="Publish eve.duckdb at the end.")] = True,
) -> None:
    """Ask models what is missing, read the replies, publish the results."""
    from eve_pipeline.orchestration.reporting import report_cells
    from eve_pipeline.responses.answering import answer_cell, is_planned
    from eve_pipeline.responses.cells import select_cells
    from eve_pipeline.responses.runner import ask_cells
    from eve_pipeline.warehouse.paths import Warehouse

    settings = Settings()
    cells = select_cells(settings, models=model, datasets=dataset, subsets=subset, prompts=prompt)
    _prepare_missing(cells, settings)
    outcomes = []
    for outcome in ask_cells(cells, settings, repeats=repeats, limit=limit):
        outcomes.append(outcome)
        if is_planned(outcome.cell, Warehouse.of(settings)):
            answer_cell(outcome.cell, settings)  # of a failed cell too: what is missing must show
    done = [outcome.cell for outcome in outcomes if not outcome.failure]
    report_cells(done, settings)
    show(pl.DataFrame([{"cell": str(o.cell), "requests": o.n_requests, "asked now": o.n_asked, "errors": o.n_errors} for o in outcomes]))
    if publish:
        _publish(settings)
    if failures := [outcome.failure for outcome in outcomes if outcome.failure]:
        raise EveError("; ".join(failures), "The other cells are done; run the same command again for these.")
    if any(outcome.n_errors for outcome in outcomes):
        raise EveError("Some requests failed", "Run the same command again: it asks only what failed.")


@app.command()
@explained
def plan(
    model: Annotated[Keys, typer.Option(help="Model to ask; repeatable.")],
    dataset: Annotated[Keys, typer.Option(help="Dataset as a whole; repeatable.")] = [],  # noqa: B006
    subset: Annotated[Keys, typer.Option(help="Subset; repeatable.")] = [],  # noqa: B006
    prompt: Annotated[Keys, typer.Option(help="Prompt; repeatable; default: all but the families of label orders.")] = [],  # noqa: B006
    repeats: Annotated[int, typer.Option(min=1, help="Answers an image.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="This many images only.")] = None,
) -> None:
    """Show what `eve run` with the same options would ask; no model is asked, but a dataset that was never prepared is."""
    from eve_pipeline.responses.cells import select_cells
    from eve_pipeline.responses.journal import fold_abandoned_journals
    from eve_pipeline.responses.planning import plan_cell
    from eve_pipeline.warehouse.paths import Warehouse

    settings = Settings()
    fold_abandoned_journals(Warehouse.of(settings))
    cells = select_cells(settings, models=model, datasets=dataset, subsets=subset, prompts=prompt)
    _prepare_missing(cells, settings)
    plans = [plan_cell(cell, settings, repeats=repeats, limit=limit) for cell in cells]
    show(pl.DataFrame([{"cell": str(p.cell), "wanted": p.wanted.height, "missing": p.missing.height} for p in plans]))
    n_missing = pl.concat([p.missing for p in plans])["request_key"].n_unique()
    Console().print(f"{n_missing} requests to make; cells that share pictures and settings share requests.")


@app.command()
@explained
def publish() -> None:
    """Build eve.duckdb from the Parquet tables and the SQL models, test it, and switch to it."""
    _publish(Settings())


@app.command()
@explained
def models() -> None:
    """List the models that can be asked."""
    from eve_pipeline.vlms.registry import model_entries

    rows = [{"model": e.key, "backend": e.backend, "id": e.id, "at": str(e.base_url or "")} for e in model_entries(Settings()).values()]
    show(pl.DataFrame(rows))


@app.command()
@explained
def prompts(text: Annotated[bool, typer.Option(help="Show the texts too.")] = False) -> None:
    """List the prompt variants."""
    from eve_pipeline.prompts.variants import prompt_variants

    variants = prompt_variants(Settings()).values()
    rows = [{"prompt": v.key, "revision": v.revision, "description": v.description} | ({"text": v.text} if text else {}) for v in variants]
    show(pl.DataFrame(rows))


@app.command()
@explained
def sql(
    query: Annotated[str | None, typer.Argument(help="Exactly one SELECT.")] = None,
    named: Annotated[str | None, typer.Option(help="Run the query sql/NAME.sql instead.")] = None,
    parameter: Annotated[list[str], typer.Option("--parameter", "-p", help="NAME=VALUE for a $NAME of the query; repeatable.")] = [],  # noqa: B006
    format: Annotated[Format, typer.Option(help="How to write the result.")] = Format.table,  # noqa: A002 - the option's name
    output: Annotated[Path | None, typer.Option(help="File to write instead of standard output.")] = None,
) -> None:
    """Ask eve.duckdb a question, read-only; without a question, list the named queries."""
    from eve_pipeline.warehouse.paths import Warehouse
    from eve_pipeline.warehouse.query import named_queries, named_query, run_query

    if query is not None and named is not None:
        raise EveError("There are two questions", "Give a query or --named, not both.")
    if output and format is Format.table:
        raise EveError("A table is for the terminal", "Give --format csv, json or parquet with --output.")
    settings = Settings()
    if query is None and named is None:
        found = named_queries(settings).values()
        show(pl.DataFrame([{"query": q.name, "parameters": ", ".join(q.parameters), "answers": q.question} for q in found]))
        return
    parameters: dict[str, object] = dict(_parameter(text) for text in parameter)
    if named is not None:
        chosen = named_query(named, settings)
        query, parameters = chosen.sql, {**chosen.parameters, **parameters}
    _write(run_query(Warehouse.of(settings).database, str(query), parameters), format, output)


@app.command()
@explained
def doctor() -> None:
    """Check that everything the pipeline needs is there, and say what to do where it is not."""
    from eve_pipeline.doctor import diagnose

    findings = diagnose(Settings())
    show(pl.DataFrame([{"": "ok" if f.is_ok else "!!", "what": f.what, "found": f.found, "to do": f.to_do} for f in findings]))
    if not all(finding.is_ok for finding in findings):
        raise typer.Exit(1)


@app.command()
@explained
def ui(port: Annotated[int, typer.Option(help="Port on loopback.")] = 3000) -> None:
    """Open the Dagster UI on EVE_HOME."""
    from eve_pipeline.orchestration.instance import dagster_home

    settings = Settings()
    environment = os.environ | {
        "EVE_HOME": str(settings.home),
        "DAGSTER_HOME": str(dagster_home(settings)),
        "DO_NOT_TRACK": "1",
        "PYTHONSAFEPATH": "1",  # else a user's file in the working directory stands for a module of that name
    }
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(PROJECT / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(port)]
    os.execve(sys.executable, command, environment)  # noqa: S606 - replaces this process, so that signals reach Dagster


def _prepare_missing(cells: "list[Cell]", settings: Settings) -> None:
    from eve_pipeline.responses.cells import subset_datasets
    from eve_pipeline.warehouse.paths import Warehouse

    missing = {cell.subset for cell in cells if not Warehouse.of(settings).file("benchmark_items", cell.subset).exists()}
    datasets = {entry.key: entry for subset, entry in subset_datasets(settings).items() if subset in missing}
    for entry in datasets.values():
        prepare_and_tell(entry, settings)


def _publish(settings: Settings) -> None:
    from eve_pipeline.responses.answering import answer_outdated_cells
    from eve_pipeline.warehouse.paths import Warehouse
    from eve_pipeline.warehouse.publish import publish

    answer_outdated_cells(settings)
    publish(Warehouse.of(settings), settings)
    Console().print(f"Published {Warehouse.of(settings).database}")


def _leaderboard(settings: Settings) -> None:
    from eve_pipeline.warehouse.paths import Warehouse
    from eve_pipeline.warehouse.query import named_query, run_query

    warehouse, leaderboard = Warehouse.of(settings), named_query("leaderboard", settings)
    places = run_query(warehouse.database, leaderboard.sql, leaderboard.parameters)
    show(places.rename(lambda name: name.replace("_", "\n")), title="Leaderboard (prompt: simple, scoring: strict)")
    made = {
        "results (DuckDB)": warehouse.database,
        "tables (Parquet)": warehouse.home / "warehouse",
        "runs (Dagster)": warehouse.home / "dagster",
    }
    for what, path in made.items():
        Console().print(f"{what:18} {path}", highlight=False, soft_wrap=True)


def _parameter(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise EveError(f"{text!r} is not NAME=VALUE", "Write, for example, -p prompt=explanation.")
    return name, yaml.safe_load(value)


def _as_json(value: object) -> str:
    plain = value.to_list() if isinstance(value, pl.Series) else value
    return json.dumps(plain, default=str)


def _write(frame: pl.DataFrame, form: Format, output: Path | None) -> None:
    if form is Format.table:
        show(frame)
        return
    content = io.BytesIO()
    if form is Format.csv:
        frame.with_columns(cs.nested().map_elements(_as_json, return_dtype=pl.String)).write_csv(content)
    elif form is Format.json:
        frame.write_json(content)
    else:
        frame.write_parquet(content)
    if output:
        output.write_bytes(content.getvalue())
    else:
        sys.stdout.buffer.write(content.getvalue())
