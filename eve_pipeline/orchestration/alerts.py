"""Alerts to the webhook of EVE_ALERT_WEBHOOK: a run or a check of it failed, a sensor fails, a model's or task's revision is not known."""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
import httpx2
from dagster._core.event_api import EventLogCursor
from dagster._core.events import DagsterEvent
from dagster._core.storage.tags import WILL_RETRY_TAG
from dagster._utils.tags import get_boolean_tag_value
from pydantic import BaseModel, SecretStr
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from eve_pipeline.logs import cell_or_partition, known_secrets, without_secrets
from eve_pipeline.orchestration.failures import cause_of, failing_sensors, is_failed, plain_message
from eve_pipeline.orchestration.metadata import FAILED_CELLS
from eve_pipeline.orchestration.revisions import CHECKS, MODEL, TASK
from eve_pipeline.settings import Settings

ENDS: Final = (dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_SUCCESS)
ENDS_A_TICK: Final = 20
LISTED: Final = 10
LONGEST_MESSAGE: Final = 1000
ATTEMPTS: Final = 3
TOLD: Final = "told"
DIGITS: Final = 16
TIMEOUT_S: Final = 5
NOT_KNOWN: Final = {MODEL: "the revision of a model is not known", TASK: "what a task asks is not known"}
KEPT_TRYING: Final = timedelta(days=1)


class Alert(BaseModel):
    """What is posted; Slack and what takes Slack's messages show `text`."""

    text: str
    job: str | None = None
    run_id: str | None = None
    failed_cells: list[str] = []
    failed_checks: list[str] = []
    message: str = ""
    url: str | None = None


class Undelivered(Exception):  # noqa: N818 - it is said of an alert
    """The webhook did not take an alert; the text does not say where it is."""


class Busy(Undelivered):
    """Asking again may help."""


@dg.sensor(minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def alerts(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.SensorResult:
    """Post an alert for each run that failed, or a check of error severity, and of sensors and revisions; what cannot be is tried again."""
    if settings.alert_webhook is None or not context.cursor:
        why = "Alerts are sent from now on." if settings.alert_webhook else "EVE_ALERT_WEBHOOK is not set: nobody is alerted."
        return dg.SensorResult(skip_reason=why, cursor=json.dumps(_newest(context.instance)))
    cursors: dict[str, str] = json.loads(context.cursor)
    cursors[TOLD], untold = _tell_standing(cursors.get(TOLD, ""), context, settings)
    problem = ""
    for record in _ended(context.instance, cursors):
        problem = _deliver(record, context, settings)
        if problem and datetime.now(UTC).timestamp() - record.timestamp < KEPT_TRYING.total_seconds():
            break
        cursors[record.event_log_entry.get_dagster_event().event_type_value] = str(EventLogCursor.from_storage_id(record.storage_id))
    return dg.SensorResult(skip_reason=problem or untold or "Nothing is left to be told.", cursor=json.dumps(cursors))


def _tell_standing(told: str, context: dg.SensorEvaluationContext, settings: Settings) -> tuple[str, str]:
    """Post what does not work and was not told; return the digests of what is told, and why something was not taken, if it was not.

    What works again is forgotten, and told when it fails once more.
    """
    digests: list[str] = []
    for cause, problem in _standing(context.instance):
        digest = hashlib.sha256(cause.encode()).hexdigest()[:DIGITS]
        try:
            if digest not in told.split() and settings.alert_webhook:
                post(_scrubbed(Alert(text=f"eve_pipeline: {problem}", message=problem), settings), settings.alert_webhook)
        except Undelivered as error:
            untold = f"An alert was not taken: {error}. Each tick tries again."
            context.log.warning(untold)
            return " ".join([*digests, *told.split()]), untold
        digests.append(digest)
    return " ".join(digests), ""


def _standing(instance: dg.DagsterInstance) -> Iterator[tuple[str, str]]:
    """Yield what fails now: the cause, by which it is known again, and what is told of it."""
    for cause, names in failing_sensors(instance).items():
        yield cause, f"{', '.join(sorted(names))} cannot look: {cause}"[:LONGEST_MESSAGE]
    for key in (dg.AssetCheckKey(asset, check) for asset, checks in CHECKS.items() for check in checks):
        said = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        if said and (found := said[0].evaluation) and not found.passed:
            yield f"{key.name}: {found.description}", f"{NOT_KNOWN[key.asset_key]}: {found.description}"[:LONGEST_MESSAGE]


def _newest(instance: dg.DagsterInstance) -> dict[str, str]:
    return {kind.value: instance.fetch_run_status_changes(kind, limit=1).cursor for kind in ENDS}


def _ended(instance: dg.DagsterInstance, cursors: Mapping[str, str]) -> list[dg.EventLogRecord]:
    """Return the ends of runs after the cursors, the earliest first."""
    ends = [
        record
        for kind in ENDS
        for record in instance.fetch_run_status_changes(kind, limit=ENDS_A_TICK, cursor=cursors[kind.value], ascending=True).records
    ]
    return sorted(ends, key=lambda record: record.storage_id)


def _deliver(record: dg.EventLogRecord, context: dg.SensorEvaluationContext, settings: Settings) -> str:
    """Post what there is to tell of a run, and return why that was not possible, if it was not."""
    alert, webhook = alert_of(record.run_id, context.instance, settings), settings.alert_webhook
    try:
        if alert and webhook:
            post(alert, webhook)
    except Undelivered as error:
        problem = f"The alert for run {record.run_id} was not taken: {error}. Each tick tries again for a day."
        context.log.warning(problem)
        return problem
    return ""


def alert_of(run_id: str, instance: dg.DagsterInstance, settings: Settings) -> Alert | None:
    """Return what is to be told of a run that has ended; None where all went well, or where it will be retried by itself."""
    run = instance.get_run_by_id(run_id)
    if run is None or get_boolean_tag_value(run.tags.get(WILL_RETRY_TAG), default_value=False):
        return None
    evaluated = (event.asset_check_evaluation_data for event in _events(run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION, instance))
    checks = [_check(check) for check in evaluated if is_failed(check)]
    failures = list(_events(run_id, dg.DagsterEventType.STEP_FAILURE, instance))
    if run.is_success and not checks:
        return None
    cells = [cell for failure in failures for cell in _failed_cells(failure)]
    ends = _events(run_id, dg.DagsterEventType.RUN_FAILURE, instance)
    message = "; ".join(map(_reason, failures or ends))[:LONGEST_MESSAGE]
    url = f"{settings.ui_url.rstrip('/')}/runs/{run_id}" if settings.ui_url else None
    alert = Alert(text="", job=run.job_name, run_id=run_id, failed_cells=cells, failed_checks=checks, message=message, url=url)
    return _scrubbed(alert.model_copy(update={"text": _text(alert, run)}), settings)


def _scrubbed(alert: Alert, settings: Settings) -> Alert:
    return Alert.model_validate_json(without_secrets(alert.model_dump_json(), known_secrets(settings)))


def _events(run_id: str, kind: dg.DagsterEventType, instance: dg.DagsterInstance) -> Iterator[DagsterEvent]:
    for record in instance.get_records_for_run(run_id, of_type=kind).records:
        yield record.event_log_entry.get_dagster_event()


def _check(check: dg.AssetCheckEvaluation) -> str:
    of = f" of {cell_or_partition(check.partition)}" if check.partition else ""
    return f"{check.asset_key.to_user_string()}.{check.check_name}{of}" + (f": {check.description}" if check.description else "")


def _failed_cells(failure: DagsterEvent) -> list[str]:
    data = failure.step_failure_data.user_failure_data
    cells = data.metadata.get(FAILED_CELLS) if data else None
    return [str(cell) for cell in cells.value] if cells and isinstance(cells.value, list) else []


def _reason(event: DagsterEvent) -> str:
    cause = cause_of(event)
    return plain_message(cause) if cause else event.message or "no reason given"


def _text(alert: Alert, run: dg.DagsterRun) -> str:
    what = "finished, but checks failed" if run.is_success else "failed"
    lines = [f"eve_pipeline: {alert.job} {what} (run {run.run_id[:8]})"]
    for name, items in (("cells", alert.failed_cells), ("checks", alert.failed_checks)):
        if items:
            more = f" and {len(items) - LISTED} more" if len(items) > LISTED else ""
            lines.append(f"Failed {name}: {', '.join(items[:LISTED])}{more}")
    return "\n".join([*lines, *filter(None, (alert.message, alert.url))])


def post(alert: Alert, webhook: SecretStr) -> None:
    """Post an alert, a few times where the server is busy or away.

    Raises:
        Undelivered: it was not taken.
    """
    for chatty in ("httpx2", "httpcore2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)  # below, they log the address, which holds a token
    retrying = Retrying(
        retry=retry_if_exception_type(Busy), stop=stop_after_attempt(ATTEMPTS), wait=wait_exponential(0.5, max=4), reraise=True
    )
    retrying(_post_once, alert, webhook)


def _post_once(alert: Alert, webhook: SecretStr) -> None:
    try:
        response = httpx2.post(webhook.get_secret_value(), json=alert.model_dump(), timeout=TIMEOUT_S)
        if response.is_success:
            return
        is_busy = response.is_server_error or response.status_code == httpx2.codes.TOO_MANY_REQUESTS
        problem = (Busy if is_busy else Undelivered)(f"the webhook answered {response.status_code}")
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
        problem = Undelivered("EVE_ALERT_WEBHOOK is not the URL of a webhook")
    except httpx2.TransportError as error:
        problem = Busy(f"the webhook cannot be reached ({type(error).__name__})")
    raise problem  # outside of the clauses: what they caught may show the URL
