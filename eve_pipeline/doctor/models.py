"""Models: checkpoints are in their folders, keys are set, endpoints answer; what is not in use is no problem."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from eve_pipeline.accelerator import pick_device
from eve_pipeline.doctor.finding import Finding, listed
from eve_pipeline.errors import EveError
from eve_pipeline.registry import read_yaml
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.endpoints import Endpoint, connect, endpoint, is_openai, scrubbed
from eve_pipeline.vlms.listings import OTHER_KEY, REFUSALS
from eve_pipeline.vlms.registry import ModelEntry, model_entries
from eve_pipeline.warehouse.paths import Warehouse

TIMEOUT_S = 5


def look_at_models(settings: Settings) -> Iterator[Finding]:
    """Yield what was found.

    Raises:
        EveError: models.yaml cannot be read, or others can read the keyring.
    """
    entries, used = model_entries(settings), _used(settings)
    yield from (_checkpoint(entry) for entry in entries.values() if entry.path)
    served = [entry for entry in entries.values() if not entry.is_local]
    yield from _keys(served, used, settings)
    yield from _endpoints(served, used, settings)
    yield Finding("torch device", "ok", str(pick_device(settings.device)))


def _used(settings: Settings) -> set[str]:
    """Return the models that the user has added, or has asked before."""
    own = settings.home / "models.yaml"
    added = read_yaml(own) if own.exists() else None
    asked = {file.parent.name for file in Warehouse.of(settings).files("requests")}
    return asked | (set(added) if isinstance(added, Mapping) else set())


def _checkpoint(entry: ModelEntry) -> Finding:
    if entry.path and (entry.path / "config.json").exists():
        return Finding(f"model {entry.key}", "ok", "checkpoint is there")
    return Finding(f"model {entry.key}", "error", f"no checkpoint in {entry.path}", "Put it there, or correct the entry's path.")


def _keys(entries: Iterable[ModelEntry], used: set[str], settings: Settings) -> Iterator[Finding]:
    needed: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        if name := entry.api_key_env or ("OPENAI_API_KEY" if is_openai(entry.base_url) else None):
            needed[name].append(entry.key)
    for name, models in needed.items():
        if settings.secret(name):
            yield Finding(f"key {name}", "ok", "is set")
        else:
            status = "error" if used & set(models) else "ok"
            to_do = f"Set it, or write it to {settings.keyring}, to ask {listed(models)}."
            yield Finding(f"key {name}", status, "is not set", to_do)  # type: ignore[arg-type]


def _endpoints(entries: Iterable[ModelEntry], used: set[str], settings: Settings) -> list[Finding]:
    """Ask each server which models it lists, all at once; those whose key is missing are not asked."""
    asked: dict[Endpoint, list[ModelEntry]] = defaultdict(list)
    unfit: list[Finding] = []
    for entry in entries:
        try:
            asked[endpoint(entry, settings)].append(entry)
        except EveError as error:
            if "needs an API key" not in error.problem:
                unfit.append(Finding(f"model {entry.key}", "error", error.problem, error.hint))
    return unfit + asyncio.run(_ask_all(asked, used))


async def _ask_all(asked: Mapping[Endpoint, list[ModelEntry]], used: set[str]) -> list[Finding]:
    return await asyncio.gather(*(_ask(server, entries, used) for server, entries in asked.items()))


async def _ask(server: Endpoint, entries: list[ModelEntry], used: set[str]) -> Finding:
    from httpx2 import InvalidURL
    from openai import APIConnectionError, APIStatusError, OpenAIError

    what, in_use = f"endpoint {server.base_url}", [entry for entry in entries if entry.key in used]
    try:
        async with connect(server) as client:
            page = await client.with_options(timeout=TIMEOUT_S).models.list()
        return _listing(what, {model.id for model in page.data or ()}, in_use)
    except APIStatusError as error:
        return _refusal(what, error.status_code, is_in_use=bool(in_use))
    except APIConnectionError:
        names = listed([entry.key for entry in in_use or entries])
        return Finding(what, "warning" if in_use else "ok", "does not answer", f"Start the server to ask {names}.")
    except (OpenAIError, InvalidURL, ValueError) as error:
        return Finding(what, "warning", f"is not understood: {scrubbed(str(error), server.key)}", "Correct the base_url of the entry.")


def _refusal(what: str, code: int, *, is_in_use: bool) -> Finding:
    to_do = REFUSALS.get(code, "")
    if to_do == OTHER_KEY:
        return Finding(what, "error" if is_in_use else "warning", f"refuses the key ({code})", to_do)
    return Finding(what, "warning" if is_in_use and to_do else "ok", f"answers ({code}), lists no models", to_do)


def _listing(what: str, listed_ids: set[str], in_use: list[ModelEntry]) -> Finding:
    absent = [entry for entry in in_use if entry.id not in listed_ids]
    if absent and listed_ids:
        names = listed([f"{entry.key} ({entry.id})" for entry in absent])
        return Finding(what, "warning", f"answers, does not list {names}", "Load the model there, or correct the entry's id.")
    return Finding(what, "ok", f"answers, lists {len(listed_ids)} models")
