"""What must never be written anywhere: the values of all secrets that the package reads."""

from typing import Final

from eve_pipeline.settings import Settings
from eve_pipeline.vlms.endpoints import SHORTEST_SECRET
from eve_pipeline.vlms.registry import model_entries

SECRETS: Final = frozenset({"OPENAI_API_KEY", "EVE_ALERT_WEBHOOK", "EVE_POSTGRES_URL"})


def secret_values(settings: Settings) -> frozenset[str]:
    """Return the values that are set; shorter ones than eight characters are placeholders and words of an answer."""
    names = SECRETS | {entry.api_key_env for entry in model_entries(settings).values() if entry.api_key_env}
    values = (secret.get_secret_value() for name in names if (secret := settings.secret(name)))
    return frozenset(value for value in values if len(value) >= SHORTEST_SECRET)
