"""Ask cells: plan, ask what is missing, keep every reply."""

import logging
from collections import defaultdict, deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Event
from typing import NamedTuple

import polars as pl
from rich.progress import Progress

from eve_pipeline.datasets.registry import dataset_entry
from eve_pipeline.errors import EveError
from eve_pipeline.progress import add_bar, bars
from eve_pipeline.responses.budget import Budget
from eve_pipeline.responses.cells import Cell, subset_datasets
from eve_pipeline.responses.extent import WHOLE, Extent, last_extent
from eve_pipeline.responses.journal import Journal, fold_abandoned_journals, open_journal
from eve_pipeline.responses.keys import answer_schema
from eve_pipeline.responses.locks import cell_lock
from eve_pipeline.responses.planning import Plan, plan_cell
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.endpoints import ProviderRefused
from eve_pipeline.vlms.protocol import Reply, Request, Vlm, open_vlm
from eve_pipeline.vlms.registry import LOCAL, ModelEntry, model_entries, model_entry
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table, write_table

logger = logging.getLogger(__name__)

IMAGE_COLUMNS = ("dataset", "image_id", "path", "width", "height")
WORKERS_AN_ENDPOINT = 2  # so that its slots stay filled between two cells
GRACE_S = 0.5  # for replies that are on their way when a run is interrupted


class CellOutcome(NamedTuple):
    """What asking one cell came to; `n_left` requests did not fit the budget; `failure` says why it ended early, if it did.

    `n_submitted` requests are with batches, whose replies come later; `held_back` says why requests were not made without a hand.
    """

    cell: Cell
    n_requests: int = 0
    n_asked: int = 0
    n_errors: int = 0
    n_submitted: int = 0
    n_left: int = 0
    failure: str | None = None
    held_back: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether all replies are in, be they good or not."""
        return not (self.failure or self.n_submitted or self.held_back)


@dataclass(frozen=True)
class Run:
    """What all threads of one run share."""

    settings: Settings
    budget: Budget
    journal: Journal
    progress: Progress
    extent: Extent | None = WHOLE
    is_stopped: Event = field(default_factory=Event)


@dataclass
class Provider:
    """Who is asked: its jobs are lists of cells that share requests; once it has refused, nothing more is sent."""

    name: str
    jobs: Iterator[list[Cell]]
    n_workers: int
    refusal: str | None = None


class OpenVlm:
    """The model that the current cell asks: kept open between cells, exchanged when another is wanted, opened only when asked."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stack = ExitStack()
        self.opened: tuple[str, str] | None = None
        self.vlm: Vlm | None = None

    def of(self, key: str, revision: str) -> Vlm:
        """Return the model of an entry at the revision that the requests' keys name."""
        if self.vlm is None or self.opened != (key, revision):
            self.close()
            entry = model_entry(key, self.settings)
            pinned = entry if entry.path else entry.model_copy(update={"revision": revision})
            self.vlm = self.stack.enter_context(open_vlm(pinned, self.settings))
            self.opened = (key, revision)
        return self.vlm

    def close(self) -> None:
        """Release the model."""
        self.vlm = self.opened = None
        self.stack.close()


def ask_cells(
    cells: Iterable[Cell], settings: Settings, *, extent: Extent | None = WHOLE, budget: Budget | None = None
) -> Generator[CellOutcome]:
    """Yield the outcome of each cell as it ends, providers side by side; a cell that fails does not stop the others.

    Without an extent, as much of each cell is asked as was before. Closing the iterator, or interrupting it, stops the run and
    keeps what came back.

    Raises:
        EveError: there is a budget and a model without prices, or a journal or part cannot be read or written.
    """
    cells, budget = list(cells), budget or Budget()
    entries = dict(model_entries(settings))  # a cell whose entry cannot be read fails by itself, when it is planned
    budget.refuse_unpriced(entries[cell.model] for cell in cells if cell.model in entries)
    warehouse = Warehouse.of(settings)
    fold_abandoned_journals(warehouse)
    providers = _providers(cells, entries, settings)
    with open_journal(warehouse) as journal, bars() as progress:
        run = Run(settings, budget, journal, progress, extent)
        if [provider.name for provider in providers] == [LOCAL]:  # in this thread, where Ctrl-C ends generation at once
            yield from _work(providers[0], run)
        else:
            yield from _side_by_side(providers, run)


def _providers(cells: Iterable[Cell], entries: dict[str, ModelEntry], settings: Settings) -> list[Provider]:
    datasets = dict(subset_datasets(settings))
    jobs: dict[str, dict[object, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        entry, dataset = entries.get(cell.model), datasets.get(cell.subset)
        name = entry.provider if entry else LOCAL
        jobs[name][cell.model, dataset and dataset.key, cell.prompt].append(cell)
    return [
        Provider(name, iter(list(by_lock.values())), n_workers=1 if name == LOCAL else min(WORKERS_AN_ENDPOINT, len(by_lock)))
        for name, by_lock in jobs.items()
    ]


def _side_by_side(providers: list[Provider], run: Run) -> Iterator[CellOutcome]:
    """Work in threads and yield in this one; what is still under way when this ends early gets a moment and is then left alone."""
    outcomes: SimpleQueue[CellOutcome | None] = SimpleQueue()

    def work(provider: Provider) -> None:
        try:
            for outcome in _work(provider, run):
                outcomes.put(outcome)
        finally:
            outcomes.put(None)

    seats = [provider for provider in providers for _ in range(provider.n_workers)]
    executor = ThreadPoolExecutor(max(1, len(seats)), "ask")
    workers = [executor.submit(work, provider) for provider in seats]
    try:
        for _ in workers:
            yield from iter(outcomes.get, None)
    finally:
        run.is_stopped.set()
        wait(workers, timeout=GRACE_S)
        executor.shutdown(wait=False)


def _work(provider: Provider, run: Run) -> Iterator[CellOutcome]:
    current = OpenVlm(run.settings)
    try:
        for job in provider.jobs:
            for cell in job:
                if run.is_stopped.is_set():
                    return
                outcome = _outcome(cell, provider, current, run)
                _log(outcome)
                yield outcome
    finally:
        current.close()


def _outcome(cell: Cell, provider: Provider, current: OpenVlm, run: Run) -> CellOutcome:
    if provider.refusal:
        return CellOutcome(cell, failure=provider.refusal)
    try:
        return _ask_cell(cell, current, run)
    except EveError as error:
        if isinstance(error, ProviderRefused):
            provider.refusal = str(error)
        return CellOutcome(cell, failure=str(error))
    except Exception as error:
        logger.exception("%s failed", cell, extra={"cell": cell})
        return CellOutcome(cell, failure=f"{type(error).__name__}: {error}")


def _log(outcome: CellOutcome) -> None:
    of = {"cell": outcome.cell}
    if outcome.failure:
        logger.error("%s failed: %s", outcome.cell, outcome.failure, extra=of)
    else:
        counts = (outcome.n_requests, outcome.n_asked, outcome.n_errors)
        logger.info("%s: %d requests, %d asked now, %d errors", outcome.cell, *counts, extra=of)


def _ask_cell(cell: Cell, current: OpenVlm, run: Run) -> CellOutcome:
    warehouse = Warehouse.of(run.settings)
    entry = model_entry(cell.model, run.settings)
    is_batch = entry.backend == "openai_batch"
    with cell_lock(cell, run.settings):
        ended = _collected(cell, run.settings) if is_batch else ""
        plan = plan_cell(cell, run.settings, run.extent or last_extent(cell, entry, warehouse))
        write_table(plan.configs, "configs", warehouse.file("configs", cell.model, cell.task))
        write_table(plan.requests, "requests", warehouse.file("requests", cell.model, cell.task))
        outcome = CellOutcome(cell, plan.current.height)
        if plan.missing.is_empty():
            return outcome
        if is_batch:
            return outcome._replace(failure=ended) if ended else _submit_missing(outcome, plan, run)
        return _ask_missing(outcome, plan, current, run)


def _ask_missing(outcome: CellOutcome, plan: Plan, current: OpenVlm, run: Run) -> CellOutcome:
    entry = model_entry(plan.cell.model, run.settings)
    requests = to_requests(plan.missing, plan.configs, run.settings)
    vlm = current.of(entry.key, plan.configs.filter("is_current")["model_revision"][0])
    run.budget.expect(entry, requests)
    waiting, n_asked, n_errors = deque(requests), 0, 0
    try:
        for reply in add_bar(run.progress, _replies(waiting, vlm, entry, run), total=len(requests), description=str(plan.cell)):
            run.journal.append(plan.cell, reply)
            run.budget.settle(entry.key, reply)
            n_asked += 1
            n_errors += reply.delivery == "error"
    finally:
        run.budget.release(entry.key, len(requests) - len(waiting) - n_asked)
        run.journal.fold()
    return outcome._replace(n_asked=n_asked, n_errors=n_errors, n_left=len(waiting))


def _collected(cell: Cell, settings: Settings) -> str:
    """Collect the cell's batches that have ended, and return why the provider gave one up, where it did."""
    from eve_pipeline.responses.batches import collect_cell

    given_up = [state.problem or "no reason given" for state in collect_cell(cell, settings) if state.state == "failed"]
    return f"The provider gave a batch up: {'; '.join(given_up)}. The next run hands its requests in again." if given_up else ""


def _submit_missing(outcome: CellOutcome, plan: Plan, run: Run) -> CellOutcome:
    from eve_pipeline.responses.batches import submit

    entry, requests = model_entry(plan.cell.model, run.settings), to_requests(plan.missing, plan.configs, run.settings)
    run.budget.expect(entry, requests)
    failed: list[Reply] = []
    n_asked, n_left = submit(plan.cell, requests, run.settings, fail=failed.append, admit=lambda: run.budget.admit(entry.key))
    for reply in failed:
        run.journal.append(plan.cell, reply)
    run.journal.fold()
    n_submitted = len(requests) - len(failed) - n_left
    return outcome._replace(n_asked=n_asked, n_errors=len(failed), n_submitted=n_submitted, n_left=n_left)


def _replies(waiting: deque[Request], vlm: Vlm, entry: ModelEntry, run: Run) -> Iterator[Reply]:
    """Ask round after round: once all replies of a round are in, more may fit the budget than was expected to."""
    n_before = 0
    while waiting and len(waiting) != n_before:
        n_before = len(waiting)
        yield from vlm.respond(_admitted(waiting, entry, run))


def _admitted(waiting: deque[Request], entry: ModelEntry, run: Run) -> Iterator[Request]:
    while waiting and not (run.is_stopped.is_set() or run.journal.failure) and run.budget.admit(entry.key):
        yield waiting.popleft()


def to_requests(missing: pl.DataFrame, configs: pl.DataFrame, settings: Settings) -> list[Request]:
    """Return what is sent to the model for rows of `requests`."""
    warehouse = Warehouse.of(settings)
    roots = {key: dataset_entry(key, settings).root(settings) for key in missing["dataset"].unique()}
    seed = model_entry(configs["model"][0], settings).parameters.seed
    paths = read_table("images", [warehouse.file("images", key) for key in roots]).select(*IMAGE_COLUMNS)
    schemas = {digest: answer_schema(canonical) for digest, canonical in configs.select("config_digest", "parameters").iter_rows()}
    rows = missing.join(configs.select("config_digest", "rendered_prompt"), on="config_digest").join(paths, on=["dataset", "image_id"])
    return [
        Request(
            request_key=row["request_key"],
            image=roots[row["dataset"]] / row["path"],
            image_sha256=row["image_sha256"],
            width=row["width"],
            height=row["height"],
            prompt=row["rendered_prompt"],
            json_schema=schemas[row["config_digest"]],
            seed=seed + row["repeat"],
        )
        for row in rows.iter_rows(named=True)
    ]
