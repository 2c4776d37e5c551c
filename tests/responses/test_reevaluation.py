"""Asking again without a hand: as much as before, and of endpoints only what their entries allow."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.extent import Extent
from eve_pipeline.responses.importing.importing import import_file
from eve_pipeline.responses.reevaluation import ask_again, asked_cells, spent_this_month, stale_cells
from eve_pipeline.responses.runner import CellOutcome, ask_cells
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table, write_table
from tests.chat_server import ChatServer

PRICES = {"input_usd": 1000, "output_usd": 100_000, "read_on": "2026-11-01", "source": "a test"}
USD = 0.9  # the server says 100 + 8 tokens: 100 * 0.001 + 8 * 0.1
N = 24
SIMPLE, EXPLANATION = Cell("paid", "photos", "simple"), Cell("paid", "photos", "explanation")
Add = Callable[..., None]


@pytest.fixture
def add_paid(prepared: Settings, chat_server: ChatServer, add_model: Add) -> Add:
    """A function that writes the entry `paid` anew, with other fields."""

    def add(**fields: object) -> None:
        entry = {"backend": "openai", "id": "stub", "base_url": chat_server.url, "prices": PRICES, "limits": {"max_in_flight": 1}}
        add_model("paid", **entry | fields)

    add()
    return add


def asked_again(cell: Cell, settings: Settings) -> CellOutcome:
    [outcome] = ask_again([cell], settings)
    return outcome


def test_an_endpoint_whose_entry_allows_nothing_is_not_asked(prepared: Settings, add_paid: Add, chat_server: ChatServer):
    outcome = asked_again(SIMPLE, prepared)
    assert outcome.held_back
    assert "paid answers through an endpoint, and its entry sets no automation" in outcome.held_back
    assert not outcome.is_done
    assert not chat_server.seen


def test_an_endpoint_without_prices_needs_no_sum(prepared: Settings, add_paid: Add, chat_server: ChatServer):
    add_paid(prices=None, automation={})
    assert asked_again(SIMPLE, prepared) == CellOutcome(SIMPLE, n_requests=N, n_asked=N)
    assert len(chat_server.seen) == N


def test_what_fits_the_month_is_asked_and_what_does_not_is_held_back(prepared: Settings, add_paid: Add, chat_server: ChatServer):
    """24 replies of 0.9 USD were asked by hand; another prompt is forecast at about as much, of which 20 USD are left, then 0.1."""
    list(ask_cells([SIMPLE], prepared))
    assert spent_this_month("paid", Warehouse.of(prepared)) == pytest.approx(N * USD)
    add_paid(automation={"max_usd_per_month": N * USD + 0.1})
    held = asked_again(EXPLANATION, prepared)
    assert held.held_back
    assert f"{N} requests are expected to cost" in held.held_back
    assert "0.1000 are left of this month's" in held.held_back
    assert (held.n_asked, held.n_left, len(chat_server.seen)) == (0, N, N)

    add_paid(automation={"max_usd_per_month": 1000})
    assert asked_again(EXPLANATION, prepared).is_done
    assert len(chat_server.seen) == 2 * N
    add_paid(automation={"max_usd_per_month": 0})
    assert asked_again(EXPLANATION, prepared).is_done, "what costs nothing fits"


def test_what_costs_more_than_was_forecast_is_cut_off_at_the_sum(prepared: Settings, add_paid: Add, chat_server: ChatServer):
    """One token a reply is forecast, 8 come: 0.1 USD and the prompt each instead of 0.9."""
    add_paid(automation={"max_usd_per_month": 6}, parameters={"max_new_tokens": 1})
    outcome = asked_again(SIMPLE, prepared)
    assert outcome.held_back
    assert "the others cost more than was expected" in outcome.held_back
    assert 0 < outcome.n_left == N - len(chat_server.seen)
    assert spent_this_month("paid", Warehouse.of(prepared)) <= 6 + USD
    n_seen = len(chat_server.seen)
    assert asked_again(SIMPLE, prepared).held_back
    assert len(chat_server.seen) == n_seen


def test_a_sum_that_was_exceeded_is_told_though_all_was_asked(prepared: Settings, add_paid: Add, chat_server: ChatServer):
    """All requests are on their way before the first reply tells its cost."""
    add_paid(automation={"max_usd_per_month": 6}, parameters={"max_new_tokens": 1}, limits={"max_in_flight": N})
    outcome = asked_again(SIMPLE, prepared)
    assert len(chat_server.seen) == N
    assert outcome.held_back
    assert "more than was expected" in outcome.held_back


def test_one_cell_after_the_other_spends_from_one_sum(prepared: Settings, add_paid: Add, chat_server: ChatServer):
    list(ask_cells([SIMPLE], prepared))
    add_paid(id="another", automation={"max_usd_per_month": N * USD * 2.5})
    outcomes = list(ask_again([SIMPLE, EXPLANATION], prepared))
    assert [outcome.held_back is None for outcome in outcomes] == [True, False]
    assert len(chat_server.seen) == 2 * N


def test_only_replies_of_this_month_and_model_are_counted(settings: Settings):
    warehouse, now = Warehouse.of(settings), datetime.now(UTC)
    last_month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) - timedelta(microseconds=1)

    def write(model: str, part: str, *replies: tuple[datetime, float | None]) -> None:
        rows = [{"request_key": f"{part}{at}", "created_at": at, "cost_usd": usd} for at, usd in replies]
        frame = pl.DataFrame(rows, schema_overrides={"cost_usd": pl.Float64}).with_columns(delivery=pl.lit("received"), attempts=1)
        write_table(frame, "responses", warehouse.file("responses", model, "s.p", f"part-{part}"))

    write("paid", "a", (last_month, 100.0), (now, 1.0))
    write("paid", "b", (last_month + timedelta(microseconds=1), 0.5), (now, None))
    write("other", "c", (now, 10.0))
    assert spent_this_month("paid", warehouse) == pytest.approx(1.5)
    assert spent_this_month("nobody", warehouse) == 0


def test_stale_is_what_lacks_a_good_reply_to_the_extent_that_was_asked(prepared: Settings, add_model: Add, chat_server: ChatServer):
    def entry(**fields: object) -> None:
        add_model("served", backend="openai", base_url=chat_server.url, **fields)

    simple, explanation = (Cell("served", "photos", prompt) for prompt in ("simple", "explanation"))
    entry(id="stub", automation={})
    chat_server.fault = lambda number: 400 if number == 15 else 0
    list(ask_cells([simple], prepared, extent=Extent(limit=10)))
    list(ask_cells([explanation], prepared))
    assert set(asked_cells(prepared)) == {simple, explanation}
    assert stale_cells(prepared) == [explanation]
    entry(id="stub")
    assert stale_cells(prepared) == [], "it may not be asked without a hand"
    entry(id="another", automation={})
    assert set(stale_cells(prepared)) == {simple, explanation}
    add_model("served", backend="transformers", id="x", path="nowhere")
    assert set(stale_cells(prepared)) == {simple, explanation}, "what is out of reach shall be asked, and say so"
    (prepared.home / "models.yaml").unlink()
    assert asked_cells(prepared) == []


def test_what_was_only_imported_is_not_asked(prepared: Settings, add_model: Add, chat_server: ChatServer, tmp_path: Path):
    add_model("served", backend="openai", id="stub", base_url=chat_server.url, automation={})
    cell, file = Cell("served", "photos", "simple"), tmp_path / "theirs.csv"
    images = read_table("images", Warehouse.of(prepared).files("images"))
    images.select(pl.col("path").alias("image"), pl.lit("awe").alias("prediction")).write_csv(file)
    assert import_file(file, cell, prepared).n_named == N
    assert asked_cells(prepared) == stale_cells(prepared) == []
    list(ask_cells([cell], prepared, extent=Extent(limit=10)))
    assert asked_cells(prepared) == [cell]


def test_a_model_that_became_greedy_is_asked_once(prepared: Settings, add_model: Add, chat_server: ChatServer):
    """Twice the same answer would be one; when it is sampled again, it is asked as often as before."""
    cell = Cell("served", "photos", "simple")

    def entry(temperature: float) -> None:
        add_model("served", backend="openai", id="stub", base_url=chat_server.url, automation={}, parameters={"temperature": temperature})

    entry(1)
    list(ask_cells([cell], prepared, extent=Extent(repeats=2)))
    entry(0)
    assert stale_cells(prepared) == [cell]
    assert asked_again(cell, prepared) == CellOutcome(cell, n_requests=N, n_asked=N)
    assert stale_cells(prepared) == []
    entry(1)
    assert asked_again(cell, prepared) == CellOutcome(cell, n_requests=2 * N, n_asked=0)


def test_what_cannot_be_planned_is_a_failure_of_its_cell(prepared: Settings, add_paid: Add, chat_server: ChatServer):
    add_paid(automation={"max_usd_per_month": 1000})
    outcomes = list(ask_again([SIMPLE._replace(subset="sample"), SIMPLE], prepared))
    assert "Subset 'sample' is not materialized" in (outcomes[0].failure or "")
    assert outcomes[1] == CellOutcome(SIMPLE, n_requests=N, n_asked=N)
