"""Where requests go and with which key: what is planted in the environment reaches no server that it is not meant for."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.endpoints import Endpoint, connect, endpoint, is_loopback, is_openai, scrubbed, scrubbed_reply
from eve_pipeline.vlms.protocol import Reply, Request, open_vlm
from eve_pipeline.vlms.registry import ModelEntry
from tests.chat_server import ChatServer
from tests.vlms.asking import entry_of, request_about

PLANTED = "sk-planted-0815"
OPENAIS_OWN = ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_WEBHOOK_SECRET")
Entry = Callable[..., ModelEntry]


@pytest.fixture
def entry(chat_server: ChatServer) -> Entry:
    return lambda **fields: entry_of(chat_server, **fields)


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in OPENAIS_OWN:
        monkeypatch.setenv(variable, PLANTED)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"Authorization: Bearer {PLANTED}\nX-Team: {PLANTED}")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")


@pytest.mark.usefixtures("planted")
def test_nothing_of_openais_goes_to_another_server(chat_server: ChatServer, entry: Entry, settings: Settings, image_request: Request):
    with open_vlm(entry(), settings) as vlm:
        [reply] = vlm.respond([image_request])
    assert reply.delivery == "received", reply.error
    [headers] = chat_server.headers
    assert headers["authorization"] == "Bearer none"
    assert not any(PLANTED in value for value in headers.values())
    assert not any(name.startswith(("openai-", "x-team")) for name in headers)


@pytest.fixture
def image_request(photographs: Path) -> Request:
    return request_about(min(photographs.rglob("*.jpg")))


@pytest.mark.usefixtures("planted")
def test_openai_gets_its_key_and_the_organization():
    client = connect(Endpoint("https://api.openai.com/v1", PLANTED))
    assert (client.api_key, client.organization, client.max_retries) == (PLANTED, PLANTED, 0)


@pytest.mark.parametrize(
    "base_url", ["http://example.org/v1", "http://127.0.0.1.example.org/v1", "ftp://127.0.0.1/v1", "127.0.0.1:8000/v1"]
)
def test_images_do_not_travel_unencrypted_unless_the_entry_says_so(entry: Entry, settings: Settings, base_url: str):
    with pytest.raises(EveError, match="unencrypted"):
        endpoint(entry(base_url=base_url), settings)
    assert endpoint(entry(base_url=base_url, allow_unencrypted=True), settings) == Endpoint(base_url, "none")


@pytest.mark.parametrize(
    ("host", "expected"), [("localhost", True), ("127.8.0.1", True), ("::1", True), ("10.0.0.1", False), (None, False)]
)
def test_loopback_is_this_machine(host: str | None, expected: bool):
    assert is_loopback(host) == expected


@pytest.mark.parametrize(
    "base_url", ["http://api.openai.com/v1", "https://api.openai.com.example.org/v1", "https://example.org/api.openai.com"]
)
def test_what_only_looks_like_openai_does_not_get_its_key(entry: Entry, settings: Settings, base_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", PLANTED)
    assert not is_openai(base_url)
    assert endpoint(entry(base_url=base_url, allow_unencrypted=True), settings).key == "none"
    with pytest.raises(EveError, match="would send OPENAI_API_KEY to"):
        endpoint(entry(base_url=base_url, allow_unencrypted=True, api_key_env="OPENAI_API_KEY"), settings)


def test_a_password_in_the_base_url_is_refused_and_not_repeated(entry: Entry, settings: Settings):
    with pytest.raises(EveError, match="holds a password") as refused:
        endpoint(entry(base_url=f"https://me:{PLANTED}@example.org/v1"), settings)
    assert PLANTED not in str(refused.value)


def test_a_redirect_is_not_followed(entry: Entry, settings: Settings, chat_server: ChatServer, image_request: Request):
    with ChatServer() as elsewhere:
        chat_server.fault = lambda _: 307
        chat_server.told = lambda _: {"Location": f"{elsewhere.url}/chat/completions"}
        with pytest.raises(EveError, match=f"base_url.*{elsewhere.url}"), open_vlm(entry(), settings) as vlm:
            list(vlm.respond([image_request]))
        assert not elsewhere.headers
    assert len(chat_server.seen) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 413, 429, 500])
def test_a_key_that_a_server_sends_back_shows_nowhere(
    entry: Entry, settings: Settings, chat_server: ChatServer, image_request: Request, monkeypatch: pytest.MonkeyPatch, status: int
):
    monkeypatch.setenv("OWN_KEY", PLANTED)
    monkeypatch.setattr("eve_pipeline.vlms.flow.FAULTS", 1)
    monkeypatch.setattr("eve_pipeline.vlms.flow.REFUSALS", 1)
    chat_server.fault = lambda _: status
    chat_server.told = lambda _: {"Retry-After": "0"}
    chat_server.raw = {1: f'{{"error": {{"message": "your key is {PLANTED}", "code": "{PLANTED}"}}}}'.encode()}
    try:
        with open_vlm(entry(api_key_env="OWN_KEY"), settings) as vlm:
            [reply] = vlm.respond([image_request])
            told = reply.model_dump_json()
    except EveError as error:
        told = f"{error!r} {error.__cause__!r} {error.__context__!r}"
    assert chat_server.headers[0]["authorization"] == f"Bearer {PLANTED}"
    assert "your key is ***" in told
    assert PLANTED not in told


def test_every_text_of_a_reply_is_scrubbed():
    texts = ("text", "finish_reason", "error", "served_model", "system_fingerprint", "logprobs")
    reply = Reply(request_key="1", delivery="received", **dict.fromkeys(texts, f"a {PLANTED} b"))
    assert [getattr(scrubbed_reply(reply, PLANTED), name) for name in texts] == ["a *** b"] * len(texts)


@given(st.text())
def test_a_placeholder_is_a_word_like_others(text: str):
    assert scrubbed(f"{text} none EMPTY", "none") == f"{text} none EMPTY"
    assert (
        scrubbed_reply(Reply(request_key="1", delivery="received", text=f"{text} none"), "none").text
        == f"{text} none".encode("utf-8", "replace").decode()
    )


def test_an_endpoint_does_not_show_its_key():
    assert PLANTED not in f"{Endpoint('https://example.org', PLANTED)!r}{Endpoint('https://example.org', PLANTED)}"
