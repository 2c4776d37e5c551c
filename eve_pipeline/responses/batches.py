"""Batches: handed in by one process, collected by any later one, so that nobody waits on a process for a day."""

import logging
import tempfile
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ulid import ULID

from eve_pipeline.errors import EveError
from eve_pipeline.files import replacing
from eve_pipeline.registry import pick
from eve_pipeline.responses.cells import Cell, subset_datasets
from eve_pipeline.responses.locks import cell_lock
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.backends.openai_batch import ENDED, OpenAIBatches, cut
from eve_pipeline.vlms.protocol import Reply, Request
from eve_pipeline.vlms.registry import model_entry
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import write_table

if TYPE_CHECKING:
    from openai.types import Batch

logger = logging.getLogger(__name__)

CLOCKS_DIFFER = timedelta(hours=1)
CUT_OFF_AFTER = timedelta(hours=1)  # handing in 200 MB may take a while


class Record(BaseModel):
    """A batch that is not collected yet; it has no `batch_id` while it is being handed in, or where that was cut off."""

    model_config = ConfigDict(frozen=True)

    tag: str = Field(default_factory=lambda: str(ULID()))
    model: str
    task: str
    request_keys: list[str]
    submitted_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    batch_id: str | None = None

    @property
    def cell(self) -> Cell:
        """The cell that asks."""
        return Cell.of(self.model, self.task)

    def file(self, warehouse: Warehouse) -> Path:
        """Where it lies."""
        return warehouse.batches / f"{self.tag}.json"

    def save(self, warehouse: Warehouse) -> None:
        """Write it whole or not at all."""
        with replacing(self.file(warehouse)) as temporary:
            temporary.write_text(self.model_dump_json())


class BatchState(NamedTuple):
    """What became of a batch: its state at the provider, `lost` where it was never handed in, `skipped` where it was not looked at.

    `problem` says which lines of its files could not be used, or why the provider gave it up.
    """

    cell: Cell
    batch_id: str | None
    state: str
    n_done: int
    n_failed: int
    n_requests: int
    submitted_at: datetime
    problem: str | None = None

    @property
    def is_ended(self) -> bool:
        """Whether it is collected, and its record gone."""
        return self.state in ENDED or self.state == "lost"


def open_batches(warehouse: Warehouse) -> list[Record]:
    """Return the batches that are not collected yet, oldest first.

    Raises:
        EveError: a record is damaged; it is named.
    """
    records = []
    for file in sorted(warehouse.batches.glob("*.json")):
        try:
            records.append(Record.model_validate_json(file.read_bytes()))
        except FileNotFoundError:  # collected by another process at this moment
            continue
        except ValidationError as error:
            raise EveError(
                f"{file} is damaged", "Move it away; its batch stays at the provider, but its requests are asked again."
            ) from error
    return records


def submit(
    cell: Cell, requests: Collection[Request], settings: Settings, *, fail: Callable[[Reply], None], admit: Callable[[], bool]
) -> tuple[int, int]:
    """Hand in the requests that no open batch holds, as far as `admit` lets them, and return how many of them are handed in and left.

    `fail` gets the reply of a request that cannot be made. The cell's lock is held by the caller.

    Raises:
        EveError: the provider does not take a batch; those before it stay handed in.
    """
    warehouse = Warehouse.of(settings)
    held = {key for record in open_batches(warehouse) for key in record.request_keys}
    waiting = iter([request for request in requests if request.request_key not in held])
    batches = OpenAIBatches(model_entry(cell.model, settings), settings)
    n_submitted, keys = 0, list[str]()

    def lines() -> Iterator[bytes]:
        for request in waiting:
            if not admit():
                unasked.append(request)
                return
            try:
                line = batches.line(request)
            except OSError as error:
                fail(Reply.failed(request, f"{request.image} cannot be sent: {error}"))
                continue
            keys.append(request.request_key)
            yield line

    unasked: list[Request] = []
    for part in cut(lines()):
        record = Record(model=cell.model, task=cell.task, request_keys=keys[n_submitted : n_submitted + len(part)])
        _hand_in(record, part, batches, warehouse)
        n_submitted += len(part)
    return n_submitted, len(unasked) + sum(1 for _ in waiting)


def _hand_in(record: Record, lines: Collection[bytes], batches: OpenAIBatches, warehouse: Warehouse) -> None:
    """Write the record first, so that a batch whose id is lost to a kill is found by its tag."""
    record.save(warehouse)
    with tempfile.NamedTemporaryFile(dir=warehouse.batches, suffix=".tmp") as file:
        file.writelines(lines)
        file.flush()
        batch = batches.submit(Path(file.name), record.tag)
    record.model_copy(update={"batch_id": batch.id}).save(warehouse)


def collect(settings: Settings, models: Collection[str] = ()) -> Iterator[BatchState]:
    """Yield the state of each open batch, by default of all models, after what has ended was put into `responses`.

    Requests without an answer are asked by the next run. A batch whose cell or model is held or gone has state `skipped`.
    """
    for record in open_batches(Warehouse.of(settings)):
        if models and record.model not in models:
            continue
        try:
            with cell_lock(record.cell, settings):
                yield from collect_cell(record.cell, settings)
        except EveError as error:
            yield _state(record, "skipped", problem=str(error))


def collect_cell(cell: Cell, settings: Settings) -> Iterator[BatchState]:
    """Yield the state of the cell's open batches, after what has ended was put into `responses`; the caller holds the cell's lock."""
    for record in open_batches(Warehouse.of(settings)):
        if record.cell == cell:
            yield _collect(record, settings)


def has_ended_batches(settings: Settings) -> bool:
    """Return whether there is something to collect; what cannot be, as of a model without a key or without an entry, is left out."""
    return any(_has_ended(record, settings) for record in open_batches(Warehouse.of(settings)))


def _has_ended(record: Record, settings: Settings) -> bool:
    try:
        pick(subset_datasets(settings), record.cell.subset, "subset")  # without its dataset it cannot be locked
        batches = OpenAIBatches(model_entry(record.model, settings), settings)
        if record.batch_id is None:
            return datetime.now(UTC) - record.submitted_at > CUT_OFF_AFTER
        return batches.batch(record.batch_id).status in ENDED
    except EveError as error:
        logger.warning("%s: %s", record.cell, error)
        return False


def _collect(record: Record, settings: Settings) -> BatchState:
    warehouse = Warehouse.of(settings)
    batches = OpenAIBatches(model_entry(record.model, settings), settings)
    batch = batches.batch(record.batch_id) if record.batch_id else batches.find(record.tag, record.submitted_at - CLOCKS_DIFFER)
    if batch is None:
        record.file(warehouse).unlink()
        return _state(record, "lost", problem="it was cut off while it was handed in; its requests are asked again")
    if batch.status not in ENDED:
        if record.batch_id is None:
            record.model_copy(update={"batch_id": batch.id}).save(warehouse)
        return _state(record, batch.status, batch)
    problem = _store(record, batch, batches, warehouse)
    record.file(warehouse).unlink()
    batches.forget_images(batch)
    return _state(record, batch.status, batch, problem)


def _store(record: Record, batch: "Batch", batches: OpenAIBatches, warehouse: Warehouse) -> str | None:
    """Write a batch's replies as a part named after it, so that collecting twice writes the same file; return what was wrong."""
    keys = set(record.request_keys)
    rows, odd = [], [error.message or "no reason given" for error in (batch.errors.data or [])] if batch.errors else []
    for reply in batches.replies(batch):
        if isinstance(reply, str):
            odd.append(reply)
        elif reply.request_key not in keys:
            odd.append(f"an answer to {reply.request_key[:80]}, which was not asked")
        else:
            keys.remove(reply.request_key)
            rows.append(reply.model_dump())
    if rows:
        frame = pl.DataFrame(rows, schema=contracts()["responses"].polars_schema)
        write_table(frame, "responses", warehouse.file("responses", record.model, record.task, f"part-{record.tag.lower()}"))
    return "; ".join([*odd[:3], *([f"and {len(odd) - 3} more"] if len(odd) > 3 else [])]) or None  # noqa: PLR2004 - enough to see why


def _state(record: Record, state: str, batch: "Batch | None" = None, problem: str | None = None) -> BatchState:
    counts = batch.request_counts if batch else None
    n_done, n_failed = (counts.completed, counts.failed) if counts else (0, 0)
    return BatchState(
        record.cell, batch.id if batch else record.batch_id, state, n_done, n_failed, len(record.request_keys), record.submitted_at, problem
    )
