"""Ask again without a hand: as much of each cell as was asked before, and of an endpoint only what its entry allows."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import polars as pl
from filelock import FileLock

from eve_pipeline.errors import EveError
from eve_pipeline.responses.budget import ROUNDING, Budget
from eve_pipeline.responses.cells import Cell, tasks
from eve_pipeline.responses.extent import Extent, last_extent
from eve_pipeline.responses.forecast import forecast, totals
from eve_pipeline.responses.planning import Plan, plan_cell, plan_cells
from eve_pipeline.responses.runner import CellOutcome, ask_cells
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.registry import ModelEntry, model_entries
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_parts import visible_parts
from eve_pipeline.warehouse.tables import read_table


def asked_cells(settings: Settings) -> list[Cell]:
    """Return the cells that were asked before, not only imported, and still have a model, a subset and a prompt."""
    files = {Cell.of(file.parent.name, file.stem): file for file in Warehouse.of(settings).files("requests")}
    models, registered = model_entries(settings), set(tasks(settings))
    return [
        cell
        for cell, file in files.items()
        if cell.model in models and cell.task in registered and _is_asked(file, file.stat().st_mtime_ns)
    ]


@cache
def _is_asked(requests: Path, mtime_ns: int) -> bool:  # noqa: ARG001 - read again when written
    origins = read_table("requests", [requests])["origin"]
    return origins.is_empty() or "asked" in origins  # empty where all images have left the subset: they may come back


def stale_cells(settings: Settings) -> list[Cell]:
    """Return the cells that lack good replies to what they ask today, as far as they were asked before and may be without a hand.

    Those that cannot be planned, such as of a model that is out of reach, are among them: asking them says why.
    """
    entries = model_entries(settings)
    together: dict[tuple[str, Extent], list[Cell]] = defaultdict(list)
    for cell in asked_cells(settings):
        entry = entries[cell.model]
        if entry.is_local or entry.automation:
            together[cell.model, last_extent(cell, entry, Warehouse.of(settings))].append(cell)
    return [cell for (_, extent), cells in together.items() for cell in _stale(cells, extent, settings)]


def _stale(cells: list[Cell], extent: Extent, settings: Settings) -> list[Cell]:
    try:
        return [plan.cell for plan in plan_cells(cells, settings, extent) if plan.missing.height]
    except EveError:
        return cells


def ask_again(cells: Iterable[Cell], settings: Settings) -> Iterator[CellOutcome]:
    """Yield the outcome of each cell; cells of endpoints that may not be asked, or not so much, are held back and say why."""
    endpoints = {key: entry for key, entry in model_entries(settings).items() if not entry.is_local}
    cells = list(cells)
    yield from ask_cells([cell for cell in cells if cell.model not in endpoints], settings, extent=None)
    for model, entry in endpoints.items():
        if of_model := [cell for cell in cells if cell.model == model]:
            yield from _ask_endpoint(entry, of_model, settings)


def _ask_endpoint(entry: ModelEntry, cells: list[Cell], settings: Settings) -> Iterator[CellOutcome]:
    if entry.automation is None:
        why = f"{entry.key} answers through an endpoint, and its entry sets no automation: run it by hand, or set max_usd_per_month"
        yield from (CellOutcome(cell, held_back=why) for cell in cells)
        return
    with FileLock(Warehouse.of(settings).lock(entry.key, "automation")):  # two runs do not spend the same rest
        limit = entry.automation.max_usd_per_month
        left_usd = None if limit is None else max(limit - spent_this_month(entry.key, Warehouse.of(settings)), 0)
        for cell in cells:
            outcome = _ask_within(left_usd, cell, entry, settings)
            yield outcome
            left_usd = None if limit is None else max(limit - spent_this_month(entry.key, Warehouse.of(settings)), 0)


def _ask_within(left_usd: float | None, cell: Cell, entry: ModelEntry, settings: Settings) -> CellOutcome:
    """Ask the cell if its forecast fits what is left of the month's USD; what costs more than was forecast is cut off there."""
    if left_usd is not None:
        try:
            plan = plan_cell(cell, settings, last_extent(cell, entry, Warehouse.of(settings)))
            expected_usd = _expected_usd(plan, entry, settings)
        except EveError as error:
            return CellOutcome(cell, failure=str(error))
        if expected_usd > left_usd:
            why = f"{plan.missing.height} requests are expected to cost {expected_usd:.4f} USD; {left_usd:.4f} are left of this month's"
            return CellOutcome(cell, n_requests=plan.current.height, n_left=plan.missing.height, held_back=why)
    budget = Budget(left_usd)
    [outcome] = ask_cells([cell], settings, extent=None, budget=budget)
    return outcome._replace(held_back=_exceeded(outcome, budget))


def _exceeded(outcome: CellOutcome, budget: Budget) -> str | None:
    if outcome.n_left:
        return f"{outcome.n_left} requests are left: the others cost more than was expected"
    if budget.max_usd is not None and budget.spent_usd > budget.max_usd * ROUNDING:
        return f"the replies cost {budget.spent_usd:.4f} USD, more than was expected; {budget.max_usd:.4f} were left of this month's"
    return None


def _expected_usd(plan: Plan, entry: ModelEntry, settings: Settings) -> float:
    return totals(forecast([plan], settings), entry).usd or 0.0


def spent_this_month(model: str, warehouse: Warehouse) -> float:
    """Return the USD of a model's replies since the calendar month began (UTC), whoever asked for them."""
    began = month_began()
    parts = [file for file in visible_parts(warehouse, model) if file.stat().st_mtime >= began.timestamp()]
    responses = read_table("responses", parts)
    return float(responses.filter(pl.col("created_at") >= began)["cost_usd"].sum())


def month_began() -> datetime:
    """Return when the calendar month began, UTC."""
    return datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
