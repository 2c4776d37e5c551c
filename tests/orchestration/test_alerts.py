"""Alerts: real failed runs, posted to a real server that takes them, is busy, or is away."""

import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.selector import InstigatorSelector
from dagster._core.definitions.sensor_definition import SensorType
from dagster._core.errors import SensorExecutionError, user_code_error_boundary
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._utils.error import serializable_error_info_from_exc_info

from eve_pipeline.errors import EveError
from eve_pipeline.orchestration.alerts import ATTEMPTS, alerts
from eve_pipeline.orchestration.definitions import build_definitions
from eve_pipeline.orchestration.health import health
from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.orchestration.launching import Launcher
from eve_pipeline.orchestration.metadata import FAILED_CELLS
from eve_pipeline.orchestration.revisions import known
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.locks import cell_lock
from eve_pipeline.responses.observing import Observed
from eve_pipeline.settings import Settings

TOKEN = "T0000/B0000/planted-token"  # noqa: S105 - tests look for it in all that is told
UI = "http://dagster.test:3000/"


class Webhook:
    """Takes JSON at every path; `statuses` are those of the next replies, 200 after them."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.seen: list[dict[str, Any]] = []
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                webhook.seen.append(body)
                self.send_response(webhook.statuses.pop(0) if webhook.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/{TOKEN}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    webhook = Webhook()
    monkeypatch.setenv("EVE_ALERT_WEBHOOK", webhook.url)
    Thread(target=webhook.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield webhook
    webhook.close()


class Ticks:
    """Evaluates the sensor as the daemon does, tick by tick."""

    def __init__(self, instance: dg.DagsterInstance, settings: Settings) -> None:
        self.instance, self.settings = instance, settings
        self.cursor: str | None = None

    def __call__(self) -> str:
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, resources={"settings": self.settings})
        data = alerts.evaluate_tick(context)
        self.cursor = data.cursor
        return str(data.skip_message)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return Settings(home=settings.home, ui_url=UI)


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings) as instance:
        yield instance


@pytest.fixture
def tick(instance: dg.DagsterInstance, settings: Settings) -> Ticks:
    return Ticks(instance, settings)


@dg.job
def ask() -> None:
    @dg.op
    def row() -> None:
        raise dg.Failure("2 of 9 cells failed", metadata={FAILED_CELLS: dg.MetadataValue.json(["m x s.p", "m x s.q"])})

    row()


@dg.asset
def table() -> None:
    """It is always made."""


@dg.asset_check(asset=table)
def has_rows() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, description="0 of 24 rows")


@dg.asset_check(asset=table)
def looks_odd() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)


def fail(instance: dg.DagsterInstance, **tags: str) -> str:
    return str(ask.execute_in_process(instance=instance, raise_on_error=False, tags=tags).run_id)


def test_a_failed_run_is_told_once_with_its_cells(instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook):
    fail(instance)
    assert tick() == "Alerts are sent from now on."
    assert not webhook.seen, "what failed before nobody asked for alerts is not told"
    run_id = fail(instance)
    for _ in range(3):
        assert tick() == "Nothing is left to be told."
    [told] = webhook.seen
    assert {name: told[name] for name in ("job", "run_id", "failed_cells", "failed_checks", "url")} == {
        "job": "ask", "run_id": run_id, "failed_cells": ["m x s.p", "m x s.q"], "failed_checks": [], "url": f"http://dagster.test:3000/runs/{run_id}",
    }  # fmt: skip
    assert told["message"] == "2 of 9 cells failed"
    assert told["text"].splitlines()[:2] == [f"eve_pipeline: ask failed (run {run_id[:8]})", "Failed cells: m x s.p, m x s.q"]
    assert told["url"] in told["text"]


def test_failed_checks_of_a_run_that_went_well_are_told(instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook):
    tick()
    assert dg.materialize([table, has_rows, looks_odd], instance=instance).success
    assert dg.materialize([table], instance=instance).success
    tick()
    [told] = webhook.seen
    assert told["failed_checks"] == ["table.has_rows: 0 of 24 rows"], "a warning wakes nobody"
    assert "finished, but checks failed" in told["text"]


def test_a_run_that_will_be_retried_is_not_told(instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook):
    tick()
    fail(instance, **{"dagster/max_retries": "1", "dagster/retry_on_asset_or_op_failure": "true"})
    tick()
    assert not webhook.seen
    fail(instance)
    tick()
    assert len(webhook.seen) == 1


def test_a_busy_webhook_is_asked_again_in_the_same_tick(instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook):
    tick()
    webhook.statuses = [500]
    fail(instance)
    assert tick() == "Nothing is left to be told."
    assert [told["job"] for told in webhook.seen] == ["ask", "ask"]
    tick()
    assert len(webhook.seen) == 2


def test_what_was_not_taken_is_tried_at_the_next_tick_in_order(instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook):
    tick()
    webhook.statuses = [503] * ATTEMPTS
    runs = [fail(instance), fail(instance)]
    assert tick() == f"The alert for run {runs[0]} was not taken: the webhook answered 503. Each tick tries again for a day."
    tick()
    assert [told["run_id"] for told in webhook.seen] == [runs[0]] * ATTEMPTS + runs


def test_a_refusal_is_not_repeated_within_a_tick(instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook):
    tick()
    webhook.statuses = [404]
    fail(instance)
    assert "the webhook answered 404" in tick()
    assert len(webhook.seen) == 1


@pytest.mark.parametrize(
    ("url", "problem"), [("http://127.0.0.1:1/{}", "cannot be reached"), ("hooks/{}", "not the URL"), ("http://[::/{}", "not the URL")]
)
def test_a_webhook_that_is_away_fails_no_tick_and_its_token_is_not_told(
    instance: dg.DagsterInstance, tick: Ticks, url: str, problem: str, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
):  # fmt: skip
    monkeypatch.setenv("EVE_ALERT_WEBHOOK", url.format(TOKEN))
    tick()
    fail(instance)
    with caplog.at_level("DEBUG"):
        told = tick()
    assert problem in told
    captured = capfd.readouterr()
    assert TOKEN not in told + caplog.text + captured.out + captured.err
    assert problem in captured.err + caplog.text


def test_without_a_webhook_nobody_is_alerted(instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook, monkeypatch: pytest.MonkeyPatch):
    tick()
    monkeypatch.delenv("EVE_ALERT_WEBHOOK")
    fail(instance)
    assert tick() == "EVE_ALERT_WEBHOOK is not set: nobody is alerted."
    monkeypatch.setenv("EVE_ALERT_WEBHOOK", webhook.url)
    tick()
    tick()
    assert not webhook.seen, "nobody wants to hear of last month"


def test_a_row_with_a_held_cell_is_told(prepared: Settings, webhook: Webhook):
    cell = Cell("served", "photos", "simple")
    with open_instance(prepared) as instance:
        tick = Ticks(instance, prepared)
        tick()
        with cell_lock(cell, prepared), pytest.raises(EveError):
            Launcher(build_definitions(prepared), instance, prepared).evaluate([cell])
        tick()
    [told] = webhook.seen
    assert told["job"] == "evaluate"
    assert "served x photos.simple is being asked by" in told["message"]


def record_tick(instance: dg.DagsterInstance, name: str, error: Exception | None, at: float) -> None:
    """Record a sensor's tick, as the daemon does."""
    location = GrpcServerCodeLocationOrigin(host="127.0.0.1", port=1, location_name="eve")
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "repository"), name)
    selector = InstigatorSelector(location_name="eve", repository_name="repository", name=name).get_id()
    if instance.get_instigator_state(origin.get_id(), selector) is None:
        data = SensorInstigatorData(sensor_type=SensorType.STANDARD)
        instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, data))
    try:
        if error:
            with user_code_error_boundary(SensorExecutionError, lambda: f"Error occurred during the execution of {name}"):
                raise error
        status, told = TickStatus.SKIPPED, None
    except SensorExecutionError:
        status, told = TickStatus.FAILURE, serializable_error_info_from_exc_info(sys.exc_info())
    instance.create_tick(TickData(origin.get_id(), name, InstigatorType.SENSOR, status, at, error=told, selector_id=selector))


def test_sensors_that_fail_for_one_reason_are_told_once(instance: dg.DagsterInstance, settings: Settings, tick: Ticks, webhook: Webhook):
    tick()
    for at in (1.0, 2.0):
        for name in ("local_revisions", "registered_partitions"):
            record_tick(instance, name, EveError("models.yaml is odd", "Correct it."), at)
    record_tick(instance, "other", None, 1.0)
    for _ in range(2):
        tick()
    [told] = webhook.seen
    assert told["text"] == "eve_pipeline: local_revisions, registered_partitions cannot look: models.yaml is odd\nCorrect it."
    assert health(settings).problems == ["local_revisions, registered_partitions: models.yaml is odd\nCorrect it."]
    for name in ("local_revisions", "registered_partitions"):
        record_tick(instance, name, None, 3.0)
    tick()
    assert len(webhook.seen) == 1
    record_tick(instance, "local_revisions", ValueError("another one"), 4.0)
    webhook.statuses = [404]
    assert "An alert was not taken" in tick()
    tick()
    tick()
    assert [told["message"] for told in webhook.seen[1:]] == ["local_revisions cannot look: another one"] * 2


@pytest.mark.parametrize(
    ("check", "kind", "problem"),
    [
        ("folders_known", "model", "the revision of a model is not known: mine: it is gone"),
        ("tasks_known", "task", "what a task asks is not known: mine: it is gone"),
    ],
)
def test_a_revision_that_is_unknown_is_told_once(
    instance: dg.DagsterInstance, tick: Ticks, webhook: Webhook, check: str, kind: str, problem: str
):
    tick()
    for _ in range(2):
        instance.report_runless_asset_event(known(check, [Observed(kind, "mine", problem="it is gone")]))
        tick()
    assert [told["message"] for told in webhook.seen] == [problem]


def test_nothing_that_is_written_holds_the_token(instance: dg.DagsterInstance, settings: Settings, tick: Ticks, webhook: Webhook):
    tick()
    fail(instance)
    tick()
    assert not [file for file in Path(settings.home).rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()]
