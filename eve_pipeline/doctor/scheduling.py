"""Dagster: can its instance be reached, does it work by itself, has anything failed."""

from collections.abc import Iterator
from datetime import UTC, datetime

from eve_pipeline.doctor.finding import Finding, listed
from eve_pipeline.settings import Settings


def look_at_scheduling(settings: Settings) -> Iterator[Finding]:
    """Yield what was found.

    Raises:
        EveError: the instance cannot be opened.
    """
    from eve_pipeline.orchestration.health import Health, health

    found: Health = health(settings)
    yield Finding("Dagster", "ok", f"{found.storage}; up to {found.n_retries} retries of a run whose process died")
    yield _daemon(found.daemon_seen_at, is_alive=found.is_daemon_alive, n_sensors=found.n_sensors_on)
    yield _runs(found.n_under_way - len(found.abandoned), found.n_failed_recently)
    if found.abandoned:
        ids = listed([run_id[:8] for run_id in found.abandoned])
        yield Finding(
            "abandoned runs",
            "error",
            f"{ids}: under way, but no such process here",
            "Start eve ui anew: it lets them fail, and retries them.",
        )
    for problem in found.problems:
        yield Finding("sensors", "warning", problem.partition("\n")[0], "See the tick in the UI (eve ui), under Automation.")
    yield _alerts(settings)


def _daemon(seen_at: datetime | None, *, is_alive: bool, n_sensors: int) -> Finding:
    if seen_at is None:
        return Finding("daemon", "ok", "never ran", "Nothing happens by itself until eve ui runs.")
    if is_alive:
        return Finding("daemon", "ok", f"running, {n_sensors} sensors and schedules on")
    ago = datetime.now(UTC) - seen_at
    return Finding("daemon", "warning", f"not seen for {str(ago).partition('.')[0]}", "Nothing happens by itself: start eve ui.")


def _runs(n_under_way: int, n_failed: int) -> Finding:
    found = f"{n_under_way} under way, {n_failed} failed within a day"
    return Finding("runs", "warning" if n_failed else "ok", found, "See why in the UI (eve ui), under Runs." if n_failed else "")


def _alerts(settings: Settings) -> Finding:
    if settings.alert_webhook:
        return Finding("alerts", "ok", "posted to a webhook")
    return Finding("alerts", "ok", "off", "Set EVE_ALERT_WEBHOOK to hear of failures.")
