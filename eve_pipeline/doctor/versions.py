"""Installed libraries against the versions that this program was tested with."""

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distributions, requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from eve_pipeline.doctor.finding import Finding, listed
from eve_pipeline.settings import PROJECT, Settings

SIBLINGS = ("dagster", "dbt")
INSTALL = "Run: pip install -c constraints.txt -e ."


def look_at_versions(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001 - every part has this signature
    """Yield what was found."""
    yield Finding("Python", "ok", platform.python_version())
    yield _missing()
    yield _pins()
    yield _siblings()


def _missing() -> Finding:
    needed = [Requirement(line) for line in requires("eve_pipeline") or []]
    absent = [need.name for need in needed if (need.marker is None or need.marker.evaluate({"extra": ""})) and _version(need.name) is None]
    if absent:
        return Finding("libraries", "error", f"{listed(absent)} not installed", INSTALL)
    return Finding("libraries", "ok", "all installed")


def _pins() -> Finding:
    """Compare with constraints.txt, as far as what it names is installed."""
    file = PROJECT / "constraints.txt"
    if not file.exists():
        return Finding("versions", "ok", "no constraints.txt to compare with")
    lines = (line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    pins = [Requirement(line) for line in lines if line]
    other = [f"{pin.name} {found}" for pin in pins if (found := _version(pin.name)) and not _fits(pin, found)]
    if other:
        return Finding("versions", "warning", f"{len(other)} not as tested: {listed(other)}", INSTALL)
    return Finding("versions", "ok", f"as in constraints.txt ({len(pins)} pins)")


def _siblings() -> Finding:
    """Look whether the packages of Dagster and of dbt fit each other, as their own metadata says."""
    names = sorted({canonicalize_name(found.name) for found in distributions() if found.name.startswith(SIBLINGS)})
    needs = [(name, need) for name in names for need in map(Requirement, requires(name) or []) if need.name.startswith(SIBLINGS)]
    unfit = [f"{name} needs {need}, not {found}" for name, need in needs if (found := _version(need.name)) and not _fits(need, found)]
    if unfit:
        return Finding("dagster and dbt", "error", listed(unfit), INSTALL)
    return Finding("dagster and dbt", "ok", f"dagster {_version('dagster')}, dbt {_version('dbt-core')}")


def _fits(need: Requirement, found: str) -> bool:
    return need.marker is not None or need.specifier.contains(found, prereleases=True)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
