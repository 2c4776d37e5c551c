"""`eve plan`: what a run would ask, cost and take."""

from typing import TYPE_CHECKING

import polars as pl
from rich.console import Console

from eve_pipeline.commands.selection import Datasets, Limit, Models, Prompts, Repeats, Subsets, prepare_missing
from eve_pipeline.commands.warnings import warn_of_broken_entries
from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from eve_pipeline.responses.forecast import Totals
    from eve_pipeline.responses.planning import Plan
    from eve_pipeline.vlms.registry import ModelEntry

BASES = {
    "stored": "as replies to the same prompt took",
    "scaled": "scaled from replies to other prompts",
    "estimated": "estimated from picture size and prompt text",
}


@explained
def plan(
    models: Models,
    datasets: Datasets = [],  # noqa: B006 - typer copies it
    subsets: Subsets = [],  # noqa: B006
    prompts: Prompts = [],  # noqa: B006
    repeats: Repeats = 1,
    limit: Limit = None,
) -> None:
    """Show what `eve run` with the same options would ask and cost; no model is asked, but a dataset that was never prepared is."""
    from eve_pipeline.responses.cells import select_cells
    from eve_pipeline.responses.extent import Extent
    from eve_pipeline.responses.forecast import forecast
    from eve_pipeline.responses.journal import fold_abandoned_journals
    from eve_pipeline.responses.planning import plan_cells
    from eve_pipeline.vlms.registry import model_entries
    from eve_pipeline.warehouse.paths import Warehouse

    settings = Settings()
    fold_abandoned_journals(Warehouse.of(settings))
    cells = select_cells(settings, models=models, datasets=datasets, subsets=subsets, prompts=prompts)
    warn_of_broken_entries(settings)
    prepare_missing(cells, settings)
    plans = plan_cells(cells, settings, Extent(repeats, limit))
    expected, entries = forecast(plans, settings), model_entries(settings)
    show(pl.DataFrame(list(_rows(plans, expected, entries)), infer_schema_length=None))
    for sentence in _sentences(expected, entries):
        Console().print(sentence, highlight=False)


def _rows(plans: "Sequence[Plan]", expected: pl.DataFrame, entries: "Mapping[str, ModelEntry]") -> "Iterator[dict[str, object]]":
    """Yield a row a cell, then a total a model and one of all where these are of several; a shared request counts once in totals."""
    from eve_pipeline.responses.forecast import all_totals, totals

    for planned in plans:
        of_cell = totals(expected.filter(cell=str(planned.cell)), entries[planned.cell.model])
        yield _row(str(planned.cell), planned.wanted.height, of_cell)
    once = expected.unique("request_key", keep="first", maintain_order=True)
    by_model = {key: totals(once.filter(model=key), entries[key]) for key in dict.fromkeys(p.cell.model for p in plans)}
    for key, of_model in by_model.items():
        of_its_cells = [planned for planned in plans if planned.cell.model == key]
        if len(of_its_cells) > 1:
            yield _row(f"{key}, all", _n_wanted(of_its_cells), of_model)
    if len(by_model) > 1:
        yield _row("all models", _n_wanted(plans), all_totals(by_model.values()))


def _n_wanted(plans: "Sequence[Plan]") -> int:
    return pl.concat([planned.wanted["request_key"] for planned in plans]).n_unique()


def _row(name: str, n_wanted: int, expected: "Totals") -> dict[str, object]:
    return {
        "cell": name,
        "wanted": n_wanted,
        "missing": expected.n_requests,
        "prompt tokens": expected.prompt_tokens,
        "completion tokens": expected.completion_tokens,
        "USD": expected.usd,
        "minutes": expected.minutes,
    }


def _sentences(expected: pl.DataFrame, entries: "Mapping[str, ModelEntry]") -> "Iterator[str]":
    once = expected.unique("request_key", keep="first", maintain_order=True)
    counts = dict(once.group_by("basis").len().iter_rows())
    if counts:
        yield "Tokens: " + "; ".join(f"{counts[basis]} requests {words}" for basis, words in BASES.items() if basis in counts) + "."
        yield "USD: " + "; ".join(_prices(entries[key]) for key in once["model"].unique(maintain_order=True)) + "."
    if once["latency_ms"].has_nulls():
        yield "Minutes: unknown where no reply of the model is stored, but for what requests_per_minute and tokens_per_minute allow."
    yield f"{once.height} requests to make; cells that share pictures and settings share requests."


def _prices(entry: "ModelEntry") -> str:
    return f"{entry.key} by prices read on {entry.prices.read_on}" if entry.prices else f"{entry.key} unknown, its entry has no prices"
