"""Entries of models, prompts, datasets and classifiers: can all be read."""

from collections.abc import Iterator

from eve_pipeline.doctor.finding import Finding
from eve_pipeline.responses.cells import broken_entries
from eve_pipeline.settings import Settings


def look_at_entries(settings: Settings) -> Iterator[Finding]:
    """Yield what is wrong with each entry, or file of entries, that cannot be read."""
    broken = broken_entries(settings)
    yield from (Finding("entries", "error", error.problem, error.hint) for error in broken)
    if not broken:
        yield Finding("entries", "ok", "all can be read")
