"""Batches against a real server of the files and batches endpoints: nothing is lost, doubled, or handed in twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import polars as pl
import pytest

from eve_pipeline.responses.answering import answer_cell
from eve_pipeline.responses.batches import Record, collect, has_ended_batches, open_batches
from eve_pipeline.responses.budget import Budget
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.runner import CellOutcome, ask_cells
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table
from tests.batch_server import BatchServer

CELL = Cell("batched", "photos", "simple")
N = 24


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer() as server:
        yield server


@pytest.fixture
def home(prepared: Settings, server: BatchServer, add_model: Callable[..., None]) -> Settings:
    prices = {"input_usd": 100, "output_usd": 1000, "read_on": "2026-01-01", "source": "a test"}
    add_model("batched", backend="openai_batch", id="stub", base_url=server.url, prices=prices)
    add_model("at-once", backend="openai", id="stub", base_url=server.url)
    return prepared


def ask(settings: Settings, cell: Cell = CELL, budget: Budget | None = None) -> CellOutcome:
    return next(iter(ask_cells([cell], settings, budget=budget)))


def stored(settings: Settings) -> pl.DataFrame:
    return read_table("responses", Warehouse.of(settings).files("responses"))


def collected(settings: Settings) -> list[tuple[str, int, int]]:
    return [(state.state, state.n_done, state.n_failed) for state in collect(settings)]


def test_a_batch_is_handed_in_once_and_collected_by_a_later_process(home: Settings, server: BatchServer):
    assert ask(home) == CellOutcome(CELL, n_requests=N, n_asked=N, n_submitted=N)
    assert ask(home) == CellOutcome(CELL, n_requests=N, n_asked=0, n_submitted=N)
    assert list(server.batches) == ["batch_1"]
    assert set(answer_cell(CELL, home)["status"]) == {"missing"}
    assert collected(home) == [("in_progress", 0, 0)]

    server.end("batch_1")
    assert collected(home) == [("completed", N, 0)]
    assert collected(home) == []
    assert set(answer_cell(CELL, home)["status"]) == {"ok"}
    rows = stored(home)
    assert rows["request_key"].n_unique() == rows.height == N
    assert rows["cost_usd"].to_list() == pytest.approx([100 * 100e-6 + 8 * 1000e-6] * N)
    assert rows["latency_ms"].is_null().all()
    assert set(rows["created_at"].dt.epoch("s")) == {1_900_000_500}
    assert ask(home) == CellOutcome(CELL, n_requests=N)
    assert server.forgotten == ["file-1"]


def test_a_line_asks_what_the_plain_entry_asks_and_its_id_is_the_key(home: Settings, server: BatchServer):
    ask(home)
    asked = {line["custom_id"]: line["body"] for line in server.lines("batch_1")}
    assert {line["url"] for line in server.lines("batch_1")} == {"/v1/chat/completions"}
    at_once = CELL._replace(model="at-once")
    assert ask(home, at_once).n_asked == N  # an open batch does not hold up another entry
    assert sorted(map(repr, asked.values())) == sorted(repr(body) for _, body in server.seen)
    assert set(stored(home)["request_key"]) == set(asked)
    server.end("batch_1")
    assert collected(home) == [("completed", N, 0)]


def test_answers_are_shared_with_the_plain_entry(home: Settings, server: BatchServer):
    ask(home, CELL._replace(model="at-once"))
    assert ask(home) == CellOutcome(CELL, n_requests=N)
    assert not server.batches


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_what_was_not_answered_in_time_is_alone_handed_in_again(home: Settings, server: BatchServer, status: str):
    ask(home)
    server.end("batch_1", status, answered=10)
    assert ask(home) == CellOutcome(CELL, n_requests=N, n_asked=N - 10, n_submitted=N - 10)
    assert stored(home).height == 10
    first, second = ([line["custom_id"] for line in server.lines(batch)] for batch in ("batch_1", "batch_2"))
    assert second == first[10:]
    server.end("batch_2")
    assert collected(home) == [("completed", N - 10, 0)]
    assert stored(home)["request_key"].n_unique() == stored(home).height == N


def test_error_lines_are_errors_and_filtered_ones_are_final(home: Settings, server: BatchServer):
    ask(home)
    server.fault = lambda number: 500 if number <= 3 else 0
    server.finish_reason = "content_filter"
    server.end("batch_1")
    collected(home)
    assert sorted(stored(home)["delivery"].value_counts().iter_rows()) == [("content_filter", N - 3), ("error", 3)]
    assert ask(home).n_asked == 3


def test_damaged_and_foreign_lines_are_told_and_the_others_kept(home: Settings, server: BatchServer):
    ask(home)
    server.end(
        "batch_1", odd=b'{"custom_id": "fore\n{"custom_id": "foreign", "response": {"status_code": 200, "body": {"choices": []}}}\n[]\n'
    )
    [state] = collect(home)
    assert "line 25 of output_file_id-batch_1 is damaged" in (state.problem or "")
    assert "and 1 more" not in (state.problem or "")
    assert stored(home).height == N


def test_a_batch_that_the_provider_gives_up_is_explained_and_handed_in_by_the_next_run(home: Settings, server: BatchServer):
    ask(home)
    server.fail("batch_1", "Enqueued token limit reached")
    outcome = ask(home)
    assert "Enqueued token limit reached" in (outcome.failure or "")
    assert list(server.batches) == ["batch_1"]
    assert ask(home).n_submitted == N


def test_a_refused_batch_is_explained_with_what_to_change(home: Settings, server: BatchServer):
    server.refusal = (401, {"error": {"message": "bad key", "code": "invalid_api_key"}})
    assert "api_key_env" in (ask(home).failure or "")
    server.refusal = None
    assert collected(home) == [("lost", 0, 0)]
    assert ask(home).n_submitted == N


def test_a_batch_whose_id_was_lost_is_found_by_its_tag(home: Settings, server: BatchServer):
    ask(home)
    warehouse = Warehouse.of(home)
    [record] = open_batches(warehouse)
    record.model_copy(update={"batch_id": None}).save(warehouse)
    assert not has_ended_batches(home)
    assert ask(home).n_submitted == N
    assert [found.batch_id for found in open_batches(warehouse)] == ["batch_1"] == list(server.batches)
    server.end("batch_1")
    assert has_ended_batches(home)
    assert collected(home) == [("completed", N, 0)]


@pytest.mark.parametrize("gone", ["models.yaml", "datasets/photos.yaml"])
@pytest.mark.parametrize("is_cut_off", [True, False])
def test_what_cannot_be_collected_has_not_ended_until_its_entry_is_back(home: Settings, server: BatchServer, gone: str, is_cut_off: bool):
    """Else it would be collected in vain every few minutes."""
    ask(home)
    server.end("batch_1")
    if is_cut_off:
        [record] = open_batches(Warehouse.of(home))
        lost = record.model_copy(update={"batch_id": None, "submitted_at": record.submitted_at - timedelta(hours=2)})
        lost.save(Warehouse.of(home))
    content = (home.home / gone).read_text()
    (home.home / gone).unlink()
    assert not has_ended_batches(home)
    [state] = collect(home)
    assert state.state == "skipped"
    assert state.problem
    assert state.problem.startswith("There is no ")
    (home.home / gone).write_text(content)
    assert has_ended_batches(home)


def test_killed_before_its_record_was_removed_nothing_is_doubled(home: Settings, server: BatchServer):
    ask(home)
    warehouse = Warehouse.of(home)
    [record] = open_batches(warehouse)
    server.end("batch_1")
    collected(home)
    record.save(warehouse)
    assert collected(home) == [("completed", N, 0)]
    assert stored(home).height == N


@pytest.mark.parametrize("seen", ["files", "batches"])
def test_killed_while_it_is_handed_in_nothing_is_lost_or_handed_in_twice(home: Settings, server: BatchServer, seen: str):
    create = server.create

    def slow_create(asked: dict[str, object]) -> tuple[int, dict[str, object]]:
        made = create(asked) if seen == "batches" else (503, {})
        time.sleep(1)
        return made

    server.create = slow_create  # type: ignore[method-assign]
    script = "from eve_pipeline.settings import Settings; from eve_pipeline.responses.runner import ask_cells; "
    script += "from eve_pipeline.responses.cells import Cell; list(ask_cells([Cell('batched', 'photos', 'simple')], Settings()))"
    child = subprocess.Popen([sys.executable, "-c", script], env=os.environ | {"EVE_HOME": str(home.home)})
    while not getattr(server, seen):
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    server.create = create  # type: ignore[method-assign]
    time.sleep(1.2)

    assert ask(home).n_submitted == N
    assert list(server.batches) == ["batch_1"]
    server.end("batch_1")
    assert collected(home) == [("completed", N, 0)]
    assert stored(home)["request_key"].n_unique() == stored(home).height == N


def test_two_collectors_do_not_collide(home: Settings, server: BatchServer):
    ask(home)
    server.end("batch_1")
    with ThreadPoolExecutor(2) as executor:
        states = [state for found in executor.map(lambda _: list(collect(home)), range(2)) for state in found]
    assert [state.state for state in states if state.state != "skipped"] == ["completed"]
    assert stored(home).height == N


def test_a_budget_hands_in_what_fits(home: Settings, server: BatchServer):
    budget = Budget(0.2)
    outcome = ask(home, budget=budget)
    assert 0 < outcome.n_submitted < N
    assert outcome.n_submitted + outcome.n_left == N
    assert len(server.lines("batch_1")) == outcome.n_submitted


def test_an_image_that_is_gone_fails_alone(home: Settings, server: BatchServer):
    next((home.home.parent / "photographs").rglob("*.jpg")).unlink()
    assert ask(home) == CellOutcome(CELL, n_requests=N, n_asked=N - 1, n_errors=1, n_submitted=N - 1)
    assert "cannot be sent" in stored(home)["error"][0]


def test_a_damaged_record_is_named(home: Settings):
    record = Record(model="batched", task=CELL.task, request_keys=[])
    record.save(Warehouse.of(home))
    record.file(Warehouse.of(home)).write_text("{")
    assert f"{record.tag}.json is damaged" in (ask(home).failure or "")
