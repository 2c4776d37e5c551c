"""What a failure of a run or of a sensor is, and what is behind it."""

from collections import defaultdict
from collections.abc import Iterator

import dagster as dg
from dagster._core.events import DagsterEvent
from dagster._core.scheduler.instigation import InstigatorStatus, TickStatus
from dagster_shared.error import SerializableErrorInfo

ENDED = [TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE]


def is_failed(check: dg.AssetCheckEvaluation) -> bool:
    """Whether a check of error severity did not pass."""
    return not check.passed and check.severity == dg.AssetCheckSeverity.ERROR


def cause_of(event: DagsterEvent) -> SerializableErrorInfo | None:
    """Return the error behind a failure event, not Dagster's own that wraps it; None where the event has none."""
    error: SerializableErrorInfo | None = getattr(event.event_specific_data, "error", None)
    return error.cause if error and error.cause else error


def failing_sensors(instance: dg.DagsterInstance) -> dict[str, list[str]]:
    """Return the sensors and schedules that are on and whose last tick failed, by the innermost cause."""
    failing: dict[str, list[str]] = defaultdict(list)
    for state in instance.all_instigator_state(instigator_statuses={InstigatorStatus.RUNNING, InstigatorStatus.DECLARED_IN_CODE}):
        for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1, statuses=ENDED):
            if tick.status == TickStatus.FAILURE:
                failing[innermost(tick.error)].append(state.name)
    return failing


def innermost(error: SerializableErrorInfo | None) -> str:
    """Return what an error says that is behind all others, or the `EveError` among them, which says what to do."""
    chain = list(_chain(error))
    if not chain:
        return "no reason given"
    return plain_message(next((one for one in chain if one.cls_name == "EveError"), chain[-1]))


def plain_message(error: SerializableErrorInfo) -> str:
    """Return an error's message without the name of its class."""
    told = str(error.message).strip()
    kind, _, message = told.partition(": ")
    return message if error.cls_name and kind.endswith(error.cls_name) else told


def _chain(error: SerializableErrorInfo | None) -> Iterator[SerializableErrorInfo]:
    while error:
        yield error
        error = error.cause
