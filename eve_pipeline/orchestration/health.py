"""How Dagster is: what works by itself, what has failed, and runs whose process is gone."""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import dagster as dg
import psutil
from dagster._core.scheduler.instigation import InstigatorStatus

from eve_pipeline.orchestration.failures import failing_sensors
from eve_pipeline.orchestration.hosts import host_tags
from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.settings import Settings

MISSED_HEARTBEATS: Final = timedelta(minutes=5)  # they come every 30 s, and later where a sensor takes long
CLOCKS_DIFFER_S: Final = 2
RECENT: Final = timedelta(days=1)


class Health(NamedTuple):
    """What was found in an instance.

    `daemon_seen_at` is NULL where no daemon ever ran; `problems` are errors of daemons and of the last ticks of sensors;
    `abandoned` runs count as under way, but their process is gone.
    """

    storage: str
    n_retries: int
    daemon_seen_at: datetime | None
    n_sensors_on: int
    problems: list[str]
    abandoned: list[str]
    n_under_way: int
    n_failed_recently: int

    @property
    def is_daemon_alive(self) -> bool:
        """Whether sensors and schedules are being looked at."""
        return self.daemon_seen_at is not None and datetime.now(UTC) - self.daemon_seen_at < MISSED_HEARTBEATS


def health(settings: Settings) -> Health:
    """Return how the instance is.

    Raises:
        EveError: it cannot be opened.
    """
    with open_instance(settings) as instance:
        heartbeats = instance.get_daemon_heartbeats().values()
        states = instance.all_instigator_state(instigator_statuses={InstigatorStatus.RUNNING, InstigatorStatus.DECLARED_IN_CODE})
        errors = [f"{beat.daemon_type} daemon: {error.message.strip()}" for beat in heartbeats for error in beat.errors or ()]
        recent = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=datetime.now(UTC) - RECENT)
        return Health(
            storage="PostgreSQL" if settings.postgres_url else "SQLite",
            n_retries=instance.run_retries_max_retries if instance.run_retries_enabled else 0,
            daemon_seen_at=max((datetime.fromtimestamp(beat.timestamp, UTC) for beat in heartbeats), default=None),
            n_sensors_on=len(states),
            problems=[*errors, *(f"{', '.join(names)}: {cause}" for cause, names in failing_sensors(instance).items())],
            abandoned=[run.run_id for run in abandoned_runs(instance, settings)],
            n_under_way=instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])),
            n_failed_recently=instance.get_runs_count(recent),
        )


def abandoned_runs(instance: dg.DagsterInstance, settings: Settings) -> list[dg.DagsterRun]:
    """Return the runs that count as under way, but whose process on this machine is gone, as after a crash of the machine.

    Machines that share a PostgreSQL cannot tell of each other's runs.
    """
    here = host_tags() if settings.postgres_url else {}
    records = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags=here))
    return [record.dagster_run for record in records if not _is_alive(record, instance)]


def release_abandoned_runs(settings: Settings) -> list[str]:
    """Let runs whose process is gone fail, so that they are retried and hold up nothing; return which."""
    with open_instance(settings) as instance:
        gone = abandoned_runs(instance, settings)
        for run in gone:
            instance.report_run_failed(run, "The process of this run is gone; what it had asked is kept.")
        return [run.run_id for run in gone]


def _is_alive(record: dg.RunRecord, instance: dg.DagsterInstance) -> bool:
    starts = instance.get_records_for_run(record.dagster_run.run_id, of_type=dg.DagsterEventType.RUN_START).records
    pids = {start.event_log_entry.get_dagster_event().pid for start in starts}
    return any(pid and _is_process(pid, record.start_time) for pid in pids) or not pids


def _is_process(pid: int, started_at: float | None) -> bool:
    try:
        return started_at is None or psutil.Process(pid).create_time() <= started_at + CLOCKS_DIFFER_S
    except psutil.NoSuchProcess:
        return False
