"""What endpoints say they serve, from a real server."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.listings import observed_revision
from eve_pipeline.vlms.registry import ModelEntry
from tests.json_server import json_server

KEY = "sk-listing-planted-7"


class Listing:
    """A server that lists `ids`, or replies with `status`; `keys` are those that it was asked with."""

    at: str

    def __init__(self) -> None:
        self.ids, self.status, self.keys = ["stub", "other"], 200, list[str]()

    def reply(self, request: BaseHTTPRequestHandler) -> tuple[int, object]:
        self.keys.append(request.headers["Authorization"])
        models = {"object": "list", "data": [{"id": name, "object": "model"} for name in self.ids]}
        return self.status, models if self.status == 200 else {"error": f"not for {KEY}"}


@pytest.fixture
def listing() -> Iterator[Listing]:
    listing = Listing()
    with json_server(listing.reply) as listing.at:
        yield listing


def entry(at: str, **fields: object) -> ModelEntry:
    return ModelEntry.model_validate({"key": "m", "backend": "openai", "id": "stub", "base_url": f"http://{at}/v1"} | fields)


def test_a_listed_model_is_its_name_and_its_server(listing: Listing, settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_KEY", KEY)
    assert observed_revision(entry(listing.at, api_key_env="MY_KEY"), settings) == f"stub at {listing.at}"
    assert listing.keys == [f"Bearer {KEY}"]


def test_a_model_that_is_not_listed_has_no_revision(listing: Listing, settings: Settings):
    listing.ids = [f"model-{number}" for number in range(9)]
    with pytest.raises(EveError, match=r"does not list 'stub'; it lists model-0, .*model-7") as error:
        observed_revision(entry(listing.at), settings)
    assert "model-8" not in error.value.problem
    assert "`id:` of 'm'" in error.value.hint
    listing.ids = []
    with pytest.raises(EveError, match="it lists nothing"):
        observed_revision(entry(listing.at), settings)


@pytest.mark.parametrize(("status", "to_do"), [(401, "`api_key_env:`"), (404, "`base_url:`"), (500, "Start the server")])
def test_a_server_that_lists_nothing_is_named_and_the_key_is_not(
    listing: Listing, settings: Settings, status: int, to_do: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MY_KEY", KEY)
    listing.status = status
    with pytest.raises(EveError, match=f"{listing.at}/v1 serves cannot be read") as error:
        observed_revision(entry(listing.at, api_key_env="MY_KEY"), settings)
    assert to_do in error.value.hint
    assert ("Start" in error.value.hint) == (status == 500)
    assert KEY not in str(error.value)
    assert len(listing.keys) == 1


def test_a_server_that_is_away_is_an_error(settings: Settings):
    with pytest.raises(EveError, match="serves cannot be read"):
        observed_revision(entry("127.0.0.1:1"), settings)


def test_a_stated_revision_is_taken_as_it_is_and_nobody_asked(listing: Listing, settings: Settings):
    assert observed_revision(entry(listing.at, revision="2026-11-01"), settings) == "2026-11-01"
    assert not listing.keys
