"""A planted key: what a run sends where, and that nothing it leaves behind holds the key."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from eve_pipeline.orchestration.definitions import build_definitions
from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.orchestration.launching import Launcher
from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings
from tests.chat_server import ChatServer
from tests.shell import eve

OWN, OPENAIS = "sk-own-planted-4711", "sk-openai-planted-0815"


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, prepared: Settings, chat_server: ChatServer, add_model: Callable[..., None]) -> None:
    """Both keys in the environment, and a server that tells a client its key in every third reply, once as an answer."""
    monkeypatch.setenv("OWN_KEY", OWN)
    monkeypatch.setenv("OPENAI_API_KEY", OPENAIS)
    monkeypatch.setenv("OPENAI_ORG_ID", f"org-{OPENAIS}")
    add_model("served", backend="openai", id="stub", base_url=chat_server.url, api_key_env="OWN_KEY", limits={"max_in_flight": 1})
    refusal = json.dumps({"error": {"message": f"Incorrect API key provided: {OWN}", "type": "odd"}}).encode()
    chat_server.fault = lambda number: 400 if number % 3 == 0 else 0
    chat_server.raw = dict.fromkeys(range(3, 200, 3), refusal)
    message = {"role": "assistant", "content": f"your key is {OWN}"}
    answer = {"id": "1", "object": "chat.completion", "created": 0, "model": OWN, "choices": [{"index": 0, "message": message}]}
    chat_server.raw[1] = json.dumps(answer).encode()


def texts(home: Path) -> Iterator[tuple[Path, str]]:
    """All that a run wrote, compressed tables as text."""
    for file in home.rglob("*"):
        if not file.is_file():
            continue
        yield file, file.read_bytes().decode("latin-1")
        if file.suffix == ".parquet":
            yield file, str(pl.read_parquet(file).to_dicts())
        if file.suffix == ".duckdb":
            with duckdb.connect(file, read_only=True) as connection:
                yield file, str([connection.table(f"raw.{table}").fetchall() for table in ("responses", "answers", "configs", "requests")])


def assert_no_key(home: Path, *outputs: str) -> None:
    found = [str(file) for file, text in texts(home) if OWN in text or OPENAIS in text]
    assert not found
    assert not any(OWN in output or OPENAIS in output for output in outputs)


@pytest.mark.usefixtures("keys")
def test_eve_run_sends_the_entrys_key_alone_and_writes_it_nowhere(prepared: Settings, chat_server: ChatServer):
    done = eve("run", "--model", "served", "--dataset", "photos", "--prompt", "simple", home=prepared.home)
    assert "Some requests failed" in done.stderr
    assert {headers["authorization"] for headers in chat_server.headers} == {f"Bearer {OWN}"}
    assert not any(OPENAIS in value for headers in chat_server.headers for value in headers.values())
    told = eve("sql", "select error, text from raw.responses where text like 'your key%' or error is not null", home=prepared.home)
    assert "Incorrect API key provided" in told.stdout
    assert "your key is" in told.stdout
    assert_no_key(prepared.home, done.stdout, done.stderr, told.stdout)


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("status", [400, 401])
def test_a_run_through_dagster_writes_it_nowhere(
    prepared: Settings, chat_server: ChatServer, status: int, capfd: pytest.CaptureFixture[str]
):
    chat_server.fault = lambda number: status if number % 3 == 0 else 0
    told = ""
    with open_instance(prepared) as instance:
        launcher = Launcher(build_definitions(prepared), instance, prepared)
        try:
            launcher.evaluate([Cell("served", "photos", "simple")])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is shown to the user
            told = f"{error!r} {error.__cause__!r}"
    assert bool(told) == (status == 401)
    captured = capfd.readouterr()
    assert_no_key(prepared.home, told, captured.out, captured.err)
