"""What endpoints say they serve, from a real server."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.listings import observed_revision
from eve_pipeline.vlms.registry import ModelEntry

KEY = "sk-listing-planted-7"


class Listing:
    """A server that lists `ids`, or replies with `status`; `keys` are those that it was asked with."""

    def __init__(self) -> None:
        self.ids, self.status, self.keys = ["stub", "other"], 200, list[str]()
        listing = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                listing.keys.append(self.headers["Authorization"])
                models = {"object": "list", "data": [{"id": name, "object": "model"} for name in listing.ids]}
                body = json.dumps(models if listing.status == 200 else {"error": f"not for {KEY}"}).encode()
                self.send_response(listing.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.at = f"127.0.0.1:{self.server.server_port}"


@pytest.fixture
def listing() -> Iterator[Listing]:
    listing = Listing()
    Thread(target=listing.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield listing
    listing.server.shutdown()
    listing.server.server_close()


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


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_server_that_lists_nothing_is_named_and_the_key_is_not(
    listing: Listing, settings: Settings, status: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MY_KEY", KEY)
    listing.status = status
    with pytest.raises(EveError, match=f"{listing.at}/v1 serves cannot be read") as error:
        observed_revision(entry(listing.at, api_key_env="MY_KEY"), settings)
    assert "state `revision:`" in error.value.hint
    assert KEY not in str(error.value)
    assert len(listing.keys) == 1


def test_a_server_that_is_away_is_an_error(settings: Settings):
    with pytest.raises(EveError, match="serves cannot be read"):
        observed_revision(entry("127.0.0.1:1"), settings)


def test_a_stated_revision_is_taken_as_it_is_and_nobody_asked(listing: Listing, settings: Settings):
    assert observed_revision(entry(listing.at, revision="2026-11-01"), settings) == "2026-11-01"
    assert not listing.keys
