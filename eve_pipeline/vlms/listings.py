"""What a hub or an endpoint says it serves."""

import asyncio
from typing import Final

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.endpoints import Endpoint, connect, endpoint, scrubbed
from eve_pipeline.vlms.registry import ModelEntry
from eve_pipeline.vlms.revisions import hub_commit, model_revision

TIMEOUT_S: Final = 10
MOST_NAMED: Final = 8
OTHER_KEY: Final = "Set the key that `api_key_env:` of the entry names, or name there the key of this server."
REFUSALS: Final = {
    401: OTHER_KEY,
    403: OTHER_KEY,
    404: "Correct the `base_url:` of the entry, which often ends in /v1; or, of a server that lists no models, state its `revision:`.",
}
"""What to do where a server answers a request for its list of models with such a status."""


def observed_revision(entry: ModelEntry, settings: Settings) -> str:
    """Return the revision that answers come from today: as `model_revision` does, but a hub's or an endpoint's only if it says so itself.

    Raises:
        EveError: the model is not listed, or cannot be reached.
    """
    if entry.is_local and not (entry.revision or entry.path):
        return hub_commit(entry)
    if not (entry.is_local or entry.revision):
        _refuse_unlisted(entry, endpoint(entry, settings))
    return model_revision(entry)


def _refuse_unlisted(entry: ModelEntry, asked: Endpoint) -> None:
    try:
        listed = asyncio.run(_listed(asked))
    except Exception as error:  # noqa: BLE001 - whatever it is, the server is not understood
        reason = scrubbed(str(error).partition("\n")[0] or type(error).__name__, asked.key)
        raise EveError(
            f"What {asked.base_url} serves cannot be read: {reason}",
            REFUSALS.get(
                getattr(error, "status_code", 0),
                f"Start the server, or state `revision:` in the entry of {entry.key!r} where it lists no models.",
            ),
        ) from None
    if entry.id not in listed:
        named = ", ".join(sorted(listed)[:MOST_NAMED]) or "nothing"
        raise EveError(
            f"{asked.base_url} does not list {entry.id!r}; it lists {named}",
            f"Correct the `id:` of {entry.key!r}, or state its `revision:`.",
        )


async def _listed(asked: Endpoint) -> set[str]:
    async with connect(asked) as client:
        return {model.id async for model in client.with_options(timeout=TIMEOUT_S).models.list()}
