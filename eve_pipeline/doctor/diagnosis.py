"""All that is looked at, in the order in which it is shown."""

from collections.abc import Callable, Iterable

from eve_pipeline.doctor.entries import look_at_entries
from eve_pipeline.doctor.files import look_at_files
from eve_pipeline.doctor.finding import Finding
from eve_pipeline.doctor.models import look_at_models
from eve_pipeline.doctor.scheduling import look_at_scheduling
from eve_pipeline.doctor.tables import look_at_tables
from eve_pipeline.doctor.versions import look_at_versions
from eve_pipeline.errors import EveError
from eve_pipeline.logs import without_secrets
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.secrets import secret_values

PARTS: dict[str, Callable[[Settings], Iterable[Finding]]] = {
    "files": look_at_files,
    "tables": look_at_tables,
    "entries": look_at_entries,
    "models": look_at_models,
    "Dagster": look_at_scheduling,
    "versions": look_at_versions,
}


def diagnose(settings: Settings) -> list[Finding]:
    """Return what was found; a part that cannot be looked at is an error of its own and hides no other."""
    findings: list[Finding] = []
    for name, look in PARTS.items():
        try:
            findings.extend(look(settings))
        except EveError as error:
            findings.append(Finding(name, "error", error.problem, error.hint))
        except Exception as error:  # noqa: BLE001 - whatever is broken, the other parts are looked at
            findings.append(_unforeseen(name, error, settings))
    return findings


def _unforeseen(name: str, error: Exception, settings: Settings) -> Finding:
    try:
        told = without_secrets(str(error).strip().partition("\n")[0], secret_values(settings))
    except EveError:  # which values are secret is not known
        told = "what it says may hold a secret"
    return Finding(
        name, "error", f"cannot be looked at: {type(error).__name__}: {told}", "Mend what it names; if that is in order, report it."
    )
