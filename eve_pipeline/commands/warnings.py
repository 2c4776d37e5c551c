"""What a command says beside its result."""

from eve_pipeline.settings import Settings
from eve_pipeline.terminal import tell_warning


def warn_of_broken_entries(settings: Settings) -> None:
    """Say, on standard error, which entries cannot be read, none of which the command needs."""
    from eve_pipeline.responses.cells import broken_entries

    for error in broken_entries(settings):
        tell_warning(error.problem)
