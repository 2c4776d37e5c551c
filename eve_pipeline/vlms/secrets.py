"""What must never be written anywhere: the values of all secrets that the package reads."""

import re
from contextlib import suppress
from typing import Final
from urllib.parse import unquote, urlsplit

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.endpoints import SHORTEST_SECRET
from eve_pipeline.vlms.registry import entry_files, model_entries

SECRETS: Final = frozenset({"OPENAI_API_KEY", "EVE_ALERT_WEBHOOK", "EVE_POSTGRES_URL", "EVE_APP_TOKEN"})
API_KEY: Final = re.compile(r"api_key_env\W+(\w+)")


def secret_values(settings: Settings) -> list[str]:
    """Return the values that are set, the longest first, as one may hold another; a URL's password is one of its own.

    Values shorter than eight characters are placeholders and words of an answer.
    """
    names = SECRETS | _key_names(settings)
    values = {secret.get_secret_value() for name in names if (secret := settings.secret(name))}
    if settings.postgres_url:
        values |= _passwords(settings.postgres_url.get_secret_value())
    return sorted((value for value in values if len(value) >= SHORTEST_SECRET), key=lambda value: (-len(value), value))


def _key_names(settings: Settings) -> set[str]:
    """Return where the entries say that keys lie; what logs must not stop working over a file that is being edited."""
    texts = [file.read_text(encoding="utf-8", errors="replace") for file in entry_files(settings) if file.is_file()]
    names = {name for text in texts for name in API_KEY.findall(text)}
    with suppress(EveError):
        names |= {entry.api_key_env for entry in model_entries(settings).values() if entry.api_key_env}
    return names


def _passwords(url: str) -> set[str]:
    """Return the password of a URL as it is written there, and as the database knows it."""
    with suppress(ValueError):
        password = urlsplit(url).password or ""
        return {password, unquote(password)}
    return set()
