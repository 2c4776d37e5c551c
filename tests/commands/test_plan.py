"""`eve plan` on a real server: what it foretells, for cells, models and all."""

from collections.abc import Callable

import pytest
from click.testing import Result
from typer.testing import CliRunner

from eve_pipeline.cli import app
from eve_pipeline.settings import Settings
from tests.chat_server import ChatServer

PRICES = {"input_usd": 1000, "output_usd": 10000, "read_on": "2026-11-24", "source": "https://example.org"}
Plan = Callable[..., Result]


@pytest.fixture
def plan(prepared: Settings, chat_server: ChatServer, add_model: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Plan:
    add_model("paid", backend="openai", id="paid", base_url=chat_server.url, prices=PRICES)
    monkeypatch.setenv("EVE_HOME", str(prepared.home))
    monkeypatch.setenv("COLUMNS", "120")
    return lambda *arguments: CliRunner().invoke(app, ["plan", "--dataset", "photos", *arguments])


def rows(done: Result) -> dict[str, list[str]]:
    """The numbers of each row by the row's name."""
    assert done.exit_code == 0, done.output
    lines = (line.rsplit("  ", 1)[0] and line.strip() for line in done.output.splitlines())
    split = (line.split("  ") for line in lines if "  " in line)
    return {name: [part.strip() for part in parts if part.strip()] for name, *parts in split}


def test_nothing_missing_costs_nothing_and_what_was_asked_tells_the_rest(plan: Plan):
    CliRunner().invoke(app, ["run", "--model", "paid", "--dataset", "photos", "--prompt", "simple", "--limit", "4", "--no-publish"])
    done = plan("--model", "paid", "--prompt", "simple")
    # 20 replies of 100 and 8 tokens
    assert rows(done)["paid x photos.simple"][:5] == ["24", "20", "2000", "160", "3.600"]
    assert "Tokens: 20 requests as replies to the same prompt took." in done.output
    assert "USD: paid by prices read on 2026-11-24." in done.output
    assert "Minutes: unknown" not in done.output
    assert "20 requests to make" in done.output
    assert rows(plan("--model", "paid", "--prompt", "simple", "--limit", "4"))["paid x photos.simple"] == [
        "4", "0", "0", "0", "0.000", "0.000",
    ]  # fmt: skip


def test_totals_count_shared_requests_once(plan: Plan, prepared: Settings, chat_server: ChatServer, add_model: Callable[..., None]):
    add_model("twin", backend="openai", id="paid", base_url=chat_server.url)
    done = plan("--model", "paid", "--model", "served", "--model", "twin", "--prompt", "simple", "--prompt", "explanation")
    found = rows(done)
    assert found["twin x photos.simple"][:2] == ["24", "24"]
    assert found["paid, all"][:2] == ["48", "48"]
    assert found["twin, all"][:2] == ["48", "0"]
    assert found["all models"][:2] == ["96", "96"]
    assert len(found["all models"]) == 4  # neither USD nor minutes: what served costs is not known, nor how fast it is
    assert "96 requests to make; cells that share pictures and settings share requests." in " ".join(done.output.split())
    assert "Tokens: 96 requests estimated from picture size and prompt text." in done.output
    assert "Minutes: unknown where no reply of the model is stored" in " ".join(done.output.split())
    assert not chat_server.seen


def test_the_header_is_one_line_at_120_columns(plan: Plan):
    done = plan("--model", "paid")
    header = ["cell", "wanted", "missing", "prompt", "tokens", "completion", "tokens", "USD", "minutes"]
    assert header in [line.split() for line in done.output.splitlines()]
    assert max(map(len, done.output.splitlines())) <= 120
