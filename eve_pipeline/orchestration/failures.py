"""What a failure of a run is, and what is behind it."""

import dagster as dg
from dagster._core.events import DagsterEvent
from dagster_shared.error import SerializableErrorInfo


def is_failed(check: dg.AssetCheckEvaluation) -> bool:
    """Whether a check of error severity did not pass."""
    return not check.passed and check.severity == dg.AssetCheckSeverity.ERROR


def cause_of(event: DagsterEvent) -> SerializableErrorInfo | None:
    """Return the error behind a failure event, not Dagster's own that wraps it; None where the event has none."""
    error: SerializableErrorInfo | None = getattr(event.event_specific_data, "error", None)
    return error.cause if error and error.cause else error
