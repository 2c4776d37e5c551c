"""Structured logs: one JSON line a record, of whatever process, and no secret in them."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from eve_pipeline.errors import EveError
from eve_pipeline.logs import logging_to
from eve_pipeline.orchestration.definitions import build_definitions
from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.orchestration.launching import Launcher
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.locks import cell_lock
from eve_pipeline.settings import Settings
from tests.chat_server import ChatServer
from tests.shell import eve

SIMPLE = Cell("served", "photos", "simple")
WRITER = """
import logging, sys
from pathlib import Path
from eve_pipeline.logs import logging_to
from eve_pipeline.settings import Settings

with logging_to(Settings(home=Path(sys.argv[1])), run_id=sys.argv[2]):
    for number in range(500):
        logging.getLogger("eve_pipeline.writer").warning("%d %s", number, "x" * 2000)
"""


def lines(settings: Settings) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(settings.logs.glob("*.jsonl")) for line in file.read_text().splitlines()]


def test_logs_go_on_while_models_yaml_is_broken_and_hold_no_key(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_KEY", "sk-0123456789")
    settings.home.mkdir(exist_ok=True)
    (settings.home / "models.yaml").write_text("mine: {backend: openai, api_key_env: MY_KEY, id: [")
    with logging_to(settings):
        logging.getLogger("eve_pipeline.x").warning("sent with %s", "sk-0123456789")
    assert [line["message"] for line in lines(settings)] == ["sent with ***"]


def test_a_run_through_dagster_says_which_run_cell_and_event(prepared: Settings, chat_server: ChatServer):
    with open_instance(prepared) as instance:
        Launcher(build_definitions(prepared), instance, prepared).evaluate([SIMPLE])
        [run] = instance.get_runs()
    logged = lines(prepared)
    assert {line["run_id"] for line in logged} == {run.run_id}
    assert {line["job"] for line in logged} == {"evaluate"}
    done = [line for line in logged if line.get("event") == "ASSET_MATERIALIZATION"]
    assert sorted(line["asset"] for line in done) == ["answers", "configs", "requests", "responses"]
    assert {line["cell"] for line in done} == {"served x photos.simple"}
    checks = [line for line in logged if line.get("event") == "ASSET_CHECK_EVALUATION"]
    assert {line["cell"] for line in checks} == {"served x photos.simple"}
    assert datetime.fromisoformat(done[0]["time"]).utcoffset() == timedelta(0)
    assert list(settings_files(prepared)) == [f"{datetime.now(UTC).date()}.jsonl"]


def test_a_command_says_what_became_of_each_cell(prepared: Settings, chat_server: ChatServer):
    run = ("run", "--model", "served", "--dataset", "photos", "--no-publish", "--prompt")
    assert eve(*run, "simple", home=prepared.home).returncode == 0
    chat_server.fault = lambda _: 401
    assert eve(*run, "explanation", home=prepared.home).returncode == 1
    [done, failed] = lines(prepared)
    assert [done[name] for name in ("level", "command", "cell")] == ["info", "run", "served x photos.simple"]
    assert done["message"] == "served x photos.simple: 24 requests, 24 asked now, 0 errors"
    assert [failed[name] for name in ("level", "command", "cell")] == ["error", "run", "served x photos.explanation"]


def settings_files(settings: Settings) -> list[str]:
    return sorted(file.name for file in settings.logs.iterdir())


def test_a_failure_is_an_error_with_its_reason(prepared: Settings, chat_server: ChatServer):
    with open_instance(prepared) as instance, cell_lock(SIMPLE, prepared), pytest.raises(EveError):
        Launcher(build_definitions(prepared), instance, prepared).evaluate([SIMPLE])
    [failure] = [line for line in lines(prepared) if line.get("event") == "STEP_FAILURE"]
    assert (failure["level"], failure["step"]) == ("error", "evaluation")
    assert "served x photos.simple is being asked by" in failure["error"]


def test_what_the_package_logs_has_its_fields_and_its_traceback(settings: Settings):
    logger = logging.getLogger("eve_pipeline.responses.runner")
    with logging_to(settings, run_id="r1"):
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError:
            logger.exception("%s failed", SIMPLE, extra={"cell": SIMPLE})
        logger.debug("not of interest")
    logger.error("after the block")
    [line] = lines(settings)
    assert {name: line[name] for name in ("level", "message", "run_id", "cell")} == {
        "level": "error", "message": "served x photos.simple failed", "run_id": "r1", "cell": "served x photos.simple",
    }  # fmt: skip
    assert line["exception"].endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize("name", ["EVE_ALERT_WEBHOOK", "EVE_APP_TOKEN", "EVE_POSTGRES_URL", "OPENAI_API_KEY", "OWN_KEY"])
def test_a_secret_is_not_written(settings: Settings, name: str, add_model: Callable[..., None], monkeypatch: pytest.MonkeyPatch):
    add_model("mine", backend="openai", id="x", base_url="http://127.0.0.1:1/v1", api_key_env="OWN_KEY")
    monkeypatch.setenv(name, 'https://hooks.test/planted-4711?a=b&c="d"')
    with logging_to(settings):
        logging.getLogger("eve_pipeline.x").warning("posted to %s", 'https://hooks.test/planted-4711?a=b&c="d"')
    [file] = settings.logs.iterdir()
    assert "planted" not in file.read_text()
    assert lines(settings)[0]["message"] == "posted to ***"


def test_the_password_of_a_database_is_not_written(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    url = "postgresql://eve:planted%40secret@db.test/eve"
    monkeypatch.setenv("EVE_POSTGRES_URL", url)
    with logging_to(settings):
        logging.getLogger("eve_pipeline.x").warning("%s: planted@secret or planted%%40secret is wrong", url)
    assert lines(settings)[0]["message"] == "***: *** or *** is wrong"


def test_processes_write_side_by_side(settings: Settings):
    command = [sys.executable, "-c", WRITER, str(settings.home)]
    writers = [subprocess.Popen([*command, name]) for name in ("a", "b")]
    assert [writer.wait() for writer in writers] == [0, 0]
    found = [(line["run_id"], int(line["message"].split()[0])) for line in lines(settings)]
    assert sorted(found) == sorted((name, number) for name in ("a", "b") for number in range(500))


def test_files_of_a_month_ago_go(settings: Settings):
    today = datetime.now(UTC).date()
    days: list[date] = [today - timedelta(days=age) for age in (29, 30, 31, 400)]
    settings.logs.mkdir(parents=True)
    for day in days:
        (settings.logs / f"{day}.jsonl").write_text("{}\n")
    other = settings.logs / "notes.jsonl"
    other.write_text("mine")
    with logging_to(settings):
        logging.getLogger("eve_pipeline.x").warning("today")
    assert settings_files(settings) == sorted([f"{day}.jsonl" for day in (today, *days[:2])] + [other.name])


def test_a_full_disk_prints_no_traceback(settings: Settings, capfd: pytest.CaptureFixture[str]):
    """/dev/full refuses what is written as a full disk does."""
    settings.logs.mkdir(parents=True)
    (settings.logs / f"{datetime.now(UTC).date()}.jsonl").symlink_to("/dev/full")
    with logging_to(settings):
        logging.getLogger("eve_pipeline.x").warning("lost")
    assert capfd.readouterr().err == ""


def test_a_folder_that_cannot_be_written_stops_nothing(settings: Settings, capfd: pytest.CaptureFixture[str]):
    settings.home.mkdir()
    Path(settings.logs).write_text("a file where the folder should be")
    with logging_to(settings):
        logging.getLogger("eve_pipeline.x").warning("lost")
    assert "FileExistsError" in capfd.readouterr().err
