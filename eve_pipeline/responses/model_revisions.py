"""What a model answers as today: its revision, and the settings of its entry that can change an answer."""

from typing import Final

from eve_pipeline.prompts.rendering import RenderedPrompt
from eve_pipeline.responses.keys import canonical_parameters, config_digest
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.listings import observed_revision
from eve_pipeline.vlms.registry import model_entry

NO_PROMPT: Final = RenderedPrompt("", ())
DIGITS: Final = 12


def model_revision(key: str, settings: Settings) -> str:
    """Return the revision of what answers for an entry, and the start of a digest of the entry's settings.

    Raises:
        EveError: there is no such entry, its model cannot be reached, or an endpoint does not list it.
    """
    entry = model_entry(key, settings)
    revision = observed_revision(entry, settings)
    return f"{revision} with {config_digest(canonical_parameters(entry, revision, NO_PROMPT, {}))[:DIGITS]}"
