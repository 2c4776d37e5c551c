"""Ask cells: plan, ask what is missing, keep every reply."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import NamedTuple

import polars as pl

from eve_pipeline.datasets.registry import dataset_entry
from eve_pipeline.errors import EveError
from eve_pipeline.progress import track
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.journal import fold_abandoned_journals, open_journal
from eve_pipeline.responses.keys import answer_schema
from eve_pipeline.responses.locks import cell_lock
from eve_pipeline.responses.planning import plan_cell
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.protocol import Request, Vlm, open_vlm
from eve_pipeline.vlms.registry import model_entry
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table, write_table

logger = logging.getLogger(__name__)

IMAGE_COLUMNS = ("dataset", "image_id", "path", "width", "height")


class CellOutcome(NamedTuple):
    """What asking one cell came to; `failure` says why it ended early, if it did."""

    cell: Cell
    n_requests: int = 0
    n_asked: int = 0
    n_errors: int = 0
    failure: str | None = None


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


def ask_cells(cells: Iterable[Cell], settings: Settings, *, repeats: int = 1, limit: int | None = None) -> Iterator[CellOutcome]:
    """Yield the outcome of each cell as it ends; a cell that fails does not stop the others."""
    fold_abandoned_journals(Warehouse.of(settings))
    current = OpenVlm(settings)
    try:
        for cell in cells:
            try:
                yield _ask_cell(cell, current, settings, repeats, limit)
            except EveError as error:
                yield CellOutcome(cell, failure=str(error))
            except Exception as error:
                logger.exception("%s failed", cell)
                yield CellOutcome(cell, failure=f"{type(error).__name__}: {error}")
    finally:
        current.close()


def _ask_cell(cell: Cell, current: OpenVlm, settings: Settings, repeats: int, limit: int | None) -> CellOutcome:
    warehouse = Warehouse.of(settings)
    with cell_lock(cell, settings):
        plan = plan_cell(cell, settings, repeats=repeats, limit=limit)
        write_table(plan.configs, "configs", warehouse.file("configs", cell.model, cell.task))
        write_table(plan.requests, "requests", warehouse.file("requests", cell.model, cell.task))
        n_errors = 0
        if not plan.missing.is_empty():
            requests = to_requests(plan.missing, plan.configs, settings)
            vlm = current.of(cell.model, plan.configs.filter("is_current")["model_revision"][0])
            with open_journal(cell, warehouse) as journal:
                for reply in track(vlm.respond(requests), total=len(requests), description=str(cell)):
                    journal.append(reply)
                    n_errors += reply.delivery == "error"
        return CellOutcome(cell, plan.requests.height, plan.missing.height, n_errors)


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
