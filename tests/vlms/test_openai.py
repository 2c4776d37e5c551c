"""The OpenAI-compatible backend against a real server on loopback."""

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.flow import FAULTS
from eve_pipeline.vlms.protocol import Reply, Request, open_vlm
from eve_pipeline.vlms.registry import ModelEntry
from tests.chat_server import ChatServer


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def requests(photographs: Path) -> list[Request]:
    files = sorted(photographs.rglob("*.jpg"))
    return [
        Request(request_key=str(number), image=file, image_sha256=sha256(file), prompt="Which emotion?", seed=3)
        for number, file in enumerate(files)
    ]


def respond(server: ChatServer, requests: list[Request], settings: Settings, **fields: object) -> list[Reply]:
    entry = ModelEntry.model_validate({"key": "served", "backend": "openai", "id": "stub", "base_url": server.url} | fields)
    with open_vlm(entry, settings) as vlm:
        return list(vlm.respond(requests))


def test_each_request_gets_one_reply_with_what_the_server_told(chat_server: ChatServer, requests: list[Request], settings: Settings):
    prices = {"input_usd": 2.5, "output_usd": 10, "read_on": "2026-01-01", "source": "a test"}
    replies = respond(chat_server, requests, settings, prices=prices, limits={"max_in_flight": 5})
    assert sorted(reply.request_key for reply in replies) == sorted(request.request_key for request in requests)
    by_key = {reply.request_key: reply for reply in replies}
    for request in requests:
        reply = by_key[request.request_key]
        assert reply.text == f'{{"prediction": "{chat_server.label(request.image.read_bytes())}"}}'
        assert (reply.delivery, reply.finish_reason, reply.served_model, reply.system_fingerprint) == (
            "received",
            "stop",
            "stub-served",
            "fp",
        )
        assert (reply.prompt_tokens, reply.completion_tokens) == (100, 8)
        assert reply.cost_usd == pytest.approx(100 * 2.5e-6 + 8 * 10e-6)


def test_the_body_says_what_the_entry_says(chat_server: ChatServer, requests: list[Request], settings: Settings):
    fields = {"parameters": {"max_new_tokens": 160, "temperature": 0.7}, "image": {"detail": "low"}, "response_format": "json_object"}
    respond(chat_server, requests[:1], settings, **fields)
    _, body = chat_server.seen[0]
    assert {name: body[name] for name in ("model", "max_tokens", "temperature", "seed", "response_format")} == {
        "model": "stub",
        "max_tokens": 160,
        "temperature": 0.7,
        "seed": 3,
        "response_format": {"type": "json_object"},
    }
    image, text = body["messages"][0]["content"]
    assert text == {"type": "text", "text": "Which emotion?"}
    assert image["image_url"]["detail"] == "low"
    assert image["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_a_stray_fault_is_retried_and_counted(chat_server: ChatServer, requests: list[Request], settings: Settings):
    chat_server.fault = lambda number: 500 if number == 1 else 0
    [reply] = respond(chat_server, requests[:1], settings)
    assert (reply.delivery, reply.attempts) == ("received", 2)


def test_a_bad_request_fails_alone(chat_server: ChatServer, requests: list[Request], settings: Settings):
    chat_server.fault = lambda number: 400 if number == 2 else 0
    replies = respond(chat_server, requests, settings)
    assert [reply.delivery for reply in replies].count("error") == 1
    assert len(replies) == len(requests)


def test_an_image_that_is_gone_fails_alone(chat_server: ChatServer, requests: list[Request], settings: Settings):
    requests[0].image.unlink()
    failed = [reply for reply in respond(chat_server, requests, settings) if reply.delivery == "error"]
    assert [reply.request_key for reply in failed] == [requests[0].request_key]
    assert "No such file" in (failed[0].error or "")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_no_retry_can_mend_ends_the_run(chat_server: ChatServer, requests: list[Request], settings: Settings, status: int):
    chat_server.fault = lambda _: status
    with pytest.raises(EveError, match="'served' is refused"):
        respond(chat_server, requests, settings)


def test_the_openai_key_never_goes_to_another_host(
    chat_server: ChatServer, requests: list[Request], settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    monkeypatch.setenv("OTHER_KEY", "sk-other")
    respond(chat_server, requests[:1], settings)
    respond(chat_server, requests[:1], settings, api_key_env="OTHER_KEY")
    assert [headers["authorization"] for headers in chat_server.headers] == ["Bearer none", "Bearer sk-other"]
    with pytest.raises(EveError, match="would send OPENAI_API_KEY to"):
        respond(chat_server, requests[:1], settings, api_key_env="OPENAI_API_KEY")


def test_a_missing_key_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    entry = ModelEntry(key="gpt", backend="openai", id="gpt-4o")
    with pytest.raises(EveError, match="OPENAI_API_KEY"), open_vlm(entry, settings):
        pass


def test_an_abandoned_run_closes_its_connections(chat_server: ChatServer, requests: list[Request], settings: Settings):
    chat_server.latency_s = 0.05
    entry = ModelEntry(key="served", backend="openai", id="stub", base_url=chat_server.url)
    with open_vlm(entry, settings) as vlm:
        replies = vlm.respond(requests)
        next(replies)
        replies.close()  # type: ignore[attr-defined]
    assert len(chat_server.seen) <= len(requests)


ODD_REPLIES = {
    "a page of a gateway": b"<html>bad gateway</html>",
    "a cut body": b'{"id": "1", "choices": [{"mess',
    "a choice without a message": b'{"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [{"index": 0}]}',
    "no choices": b'{"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": []}',
}


@pytest.mark.parametrize("body", ODD_REPLIES.values(), ids=ODD_REPLIES)
def test_an_odd_reply_is_asked_for_again(chat_server: ChatServer, requests: list[Request], settings: Settings, body: bytes):
    chat_server.raw = {3: body}
    replies = respond(chat_server, requests[:6], settings, limits={"max_in_flight": 1})
    assert sorted(reply.attempts for reply in replies) == [1, 1, 1, 1, 1, 2]
    assert {reply.delivery for reply in replies} == {"received"}


def test_a_server_that_never_says_what_was_asked_for_fails_each_request_alone(
    chat_server: ChatServer, requests: list[Request], settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("eve_pipeline.vlms.flow.PAUSE_S", 0.0)
    chat_server.raw = dict.fromkeys(range(1, 100), b"<html>bad gateway</html>")
    replies = respond(chat_server, requests[:2], settings)
    assert [(reply.delivery, reply.attempts) for reply in replies] == [("error", FAULTS)] * 2
    assert "the reply is no completion" in (replies[0].error or "")


def test_half_an_emoji_can_be_stored(chat_server: ChatServer, requests: list[Request], settings: Settings):
    message = b'{"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": "joy \\ud83d"}}'
    chat_server.raw = {1: b'{"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [' + message + b"]}"}
    [reply] = respond(chat_server, requests[:1], settings)
    assert reply.text == "joy ?"
    assert Reply.model_validate_json(reply.model_dump_json()) == reply


def test_an_input_that_the_providers_filter_refuses_is_final(chat_server: ChatServer, requests: list[Request], settings: Settings):
    chat_server.fault = lambda _: 400
    chat_server.raw = {1: b'{"error": {"message": "filtered", "code": "content_policy_violation"}}'}
    [reply] = respond(chat_server, requests[:1], settings)
    assert reply.delivery == "content_filter"


def test_a_picture_that_has_changed_is_not_sent(chat_server: ChatServer, requests: list[Request], settings: Settings):
    Image.new("RGB", (20, 20)).save(requests[0].image)
    [reply] = respond(chat_server, requests[:1], settings)
    assert reply.delivery == "error"
    assert "has changed since its dataset was prepared" in (reply.error or "")
    assert not chat_server.seen
