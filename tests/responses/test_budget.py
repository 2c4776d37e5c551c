"""The budget: what is admitted, and a run that stops at it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eve_pipeline.errors import EveError
from eve_pipeline.responses.budget import Budget
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.forecast import expected_usd
from eve_pipeline.responses.runner import ask_cells
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.protocol import Reply, Request
from eve_pipeline.vlms.registry import ModelEntry
from tests.chat_server import ChatServer

PRICES = {"input_usd": 1000, "output_usd": 100_000, "read_on": "2026-11-01", "source": "a test"}
USD = 0.9  # the server says 100 + 8 tokens: 100 * 0.001 + 8 * 0.1
N = 24


def entry(**fields: object) -> ModelEntry:
    return ModelEntry.model_validate({"key": "m", "backend": "openai", "id": "m", "prices": PRICES} | fields)


def reply(usd: float | None) -> Reply:
    return Reply(request_key="k", delivery="received" if usd else "error", cost_usd=usd)


@pytest.fixture
def paid(prepared: Settings, chat_server: ChatServer, add_model: Callable[..., None]) -> Settings:
    add_model("paid", backend="openai", id="stub", base_url=chat_server.url, prices=PRICES, limits={"max_in_flight": 4})
    return prepared


def test_without_a_limit_everything_is_admitted_and_counted():
    budget = Budget()
    assert all(budget.admit("m") for _ in range(100))
    budget.settle("m", reply(2.5))
    budget.settle("m", reply(None))
    assert (budget.spent_usd, budget.n_replies) == (2.5, 2)


def test_requests_are_admitted_while_spent_in_flight_and_the_next_fit():
    budget = Budget(10)
    request = Request(request_key="k", image=Path("i"), image_sha256="i", width=64, height=64, prompt="Which?", seed=0)
    budget.expect(entry(), [request])
    assert budget.accounts["m"].expected_usd == expected_usd(entry(), "Which?", 64, 64)
    budget.accounts["m"].forecast_usd = 4
    assert [budget.admit("m") for _ in range(3)] == [True, True, False]  # 4, 8, 12
    budget.settle("m", reply(1))
    assert [budget.admit("m") for _ in range(9)] == [True] * 8 + [False]  # 1 spent, 1 in flight, each expected to cost 1
    budget.release("m", 2)
    assert [budget.admit("m") for _ in range(3)] == [True, True, False]


def test_models_share_the_budget_each_with_its_own_expectation():
    budget = Budget(10)
    budget.accounts["dear"].forecast_usd, budget.accounts["cheap"].forecast_usd = 6, 2
    assert budget.admit("dear")
    assert not budget.admit("dear")
    assert [budget.admit("cheap") for _ in range(3)] == [True, True, False]


def test_a_reply_without_its_cost_is_taken_to_cost_what_was_expected_and_an_error_nothing():
    budget = Budget(10)
    budget.accounts["m"].forecast_usd = 3
    budget.admit("m")
    budget.settle("m", Reply(request_key="k", delivery="received"))
    budget.admit("m")
    budget.settle("m", reply(None))
    assert (budget.spent_usd, budget.accounts["m"].expected_usd) == (3, 3)


def test_threads_admit_no_more_than_fits():
    budget = Budget(100)
    budget.accounts["m"].forecast_usd = 1
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda _: budget.admit("m"), range(1000))) == 100


def test_a_model_without_prices_is_refused_but_not_a_local_one():
    Budget(1).refuse_unpriced([entry(), entry(backend="transformers", prices=None)])
    Budget().refuse_unpriced([entry(prices=None)])
    with pytest.raises(EveError, match="What m costs is not known") as refused:
        Budget(1).refuse_unpriced([entry(prices=None)])
    assert "prices" in refused.value.hint


@pytest.mark.parametrize("n_affordable", [0, 5, 23, 24, 30])
def test_a_run_spends_all_of_its_budget_and_not_more_and_the_next_goes_on(paid: Settings, chat_server: ChatServer, n_affordable: int):
    cell, n = Cell("paid", "photos", "simple"), min(n_affordable, N)
    budget = Budget(n_affordable * USD)
    (outcome,) = ask_cells([cell], paid, budget=budget)
    assert (outcome.n_asked, outcome.n_left, outcome.failure) == (n, N - n, None)
    assert len(chat_server.seen) == n
    assert budget.spent_usd == pytest.approx(n * USD)
    (outcome,) = ask_cells([cell], paid, budget=Budget(1000))
    assert (outcome.n_asked, outcome.n_left) == (N - n, 0)
    assert len(chat_server.seen) == N
