"""`eve run` as a process: interrupted, at its budget, and what it imports."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table
from tests.chat_server import ChatServer
from tests.shell import EVE, eve

RUN = ("run", "--model", "served", "--dataset", "photos", "--prompt", "simple")
N = 24
PRICES = {"input_usd": 1000, "output_usd": 100_000, "read_on": "2026-11-01", "source": "a test"}  # 0.9 USD a reply
HEAVY = ("torch", "transformers", "great_expectations", "sentence_transformers", "sklearn", "dbt")
LISTING_IMPORTS = f"""
import os, sys
from eve_pipeline import cli
leave = os._exit
os._exit = lambda code: (print("imported:", *[name for name in {HEAVY} if name in sys.modules]), sys.stdout.flush(), leave(code))
cli.main()
"""


@contextmanager
def running(settings: Settings, *options: str) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"EVE_HOME": str(settings.home), "COLUMNS": "200", "NO_COLOR": "1"}
    with subprocess.Popen([EVE, *RUN, *options], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        yield child


@pytest.mark.parametrize("interruption", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_keeps_what_came_says_so_and_goes_on_later(
    prepared: Settings, chat_server: ChatServer, interruption: signal.Signals
):
    chat_server.latency_s = 0.3
    with running(prepared) as child:
        while len(chat_server.seen) < 9:  # the first four, at least, have been answered by then
            assert child.poll() is None
            time.sleep(0.01)
        child.send_signal(interruption)
        _, said = child.communicate()
    assert child.returncode == 130
    kept = read_table("responses", Warehouse.of(prepared).files("responses"))
    assert f"Interrupted: {kept.height} replies came in this run; all are kept." in said
    assert "The same command goes on from here" in said
    assert 4 <= kept.height < N
    assert list(Warehouse.of(prepared).journals.glob("*.jsonl")) == []
    time.sleep(chat_server.latency_s)
    n_seen, chat_server.latency_s = len(chat_server.seen), 0
    assert eve(*RUN, "--no-publish", home=prepared.home).returncode == 0
    assert len(chat_server.seen) - n_seen == N - kept.height


def test_at_its_budget_it_says_what_was_spent_and_what_is_left(prepared: Settings, chat_server: ChatServer, add_model: Callable[..., None]):
    add_model("served", backend="openai", id="stub", base_url=chat_server.url, prices=PRICES)
    stopped = eve(*RUN, "--no-publish", "--max-usd", "9", home=prepared.home)
    assert stopped.returncode == 1
    assert "9.0000 of 9.0 USD were spent, 14 requests are left" in stopped.stderr
    assert "--max-usd" in stopped.stderr
    assert re.search(r"24 +10 +0 +14", stopped.stdout)
    assert len(chat_server.seen) == 10
    assert eve(*RUN, "--no-publish", "--max-usd", "100", home=prepared.home).returncode == 0
    assert len(chat_server.seen) == N


def test_a_model_without_prices_has_no_budget(prepared: Settings, chat_server: ChatServer):
    refused = eve(*RUN, "--max-usd", "1", home=prepared.home)
    assert refused.returncode == 1
    assert "What served costs is not known" in refused.stderr
    assert chat_server.seen == []


def test_a_run_with_an_endpoint_imports_nothing_heavy_and_publishes(prepared: Settings, chat_server: ChatServer):
    environment = os.environ | {"EVE_HOME": str(prepared.home)}
    ran = subprocess.run([sys.executable, "-c", LISTING_IMPORTS, *RUN], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert re.findall(r"^imported:(.*)$", ran.stdout, re.MULTILINE) == [""]
    assert Warehouse.of(prepared).database.exists()
    assert len(chat_server.seen) == N


def test_broken_entries_are_warned_of_and_stop_only_who_needs_them(prepared: Settings, add_model: Callable[..., None]):
    add_model("broken", backend="openai", idd="x")
    (prepared.home / "prompts").mkdir()
    (prepared.home / "prompts" / "mine.yaml").write_text("answer_key: prediction\ntext: [")
    done = eve(*RUN, "--no-publish", home=prepared.home)
    assert done.returncode == 0, done.stderr
    assert "Warning:" in done.stderr
    for told in ("models.yaml: entry 'broken' is not valid: id: Field required (line", "prompts/mine.yaml cannot be read"):
        assert "".join(told.split()) in "".join(done.stderr.split())
    for needed, told in (
        (("--model", "broken", "--prompt", "simple"), "entry 'broken' is not valid"),
        (("--model", "served", "--prompt", "mine"), "mine.yaml cannot be read"),
        (("--model", "served"), "mine.yaml cannot be read"),
    ):
        failed = eve("plan", *needed, "--dataset", "photos", home=prepared.home)
        assert failed.returncode == 1
        assert "Error:" in failed.stderr
        assert "".join(told.split()) in "".join(failed.stderr.split())
    (prepared.home / "models.yaml").write_text("served: [")
    failed = eve(*RUN, home=prepared.home)
    assert failed.returncode == 1
    assert "models.yaml cannot be read" in failed.stderr
