"""The body of a request, held against the types of the openai package, and what a completion becomes."""

import json
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, CompletionCreateParams
from pydantic import TypeAdapter

from eve_pipeline.errors import EveError
from eve_pipeline.vlms.chat_completions import body, filtered, to_reply
from eve_pipeline.vlms.protocol import Request
from eve_pipeline.vlms.registry import ModelEntry

SCHEMA = {"type": "object", "properties": {"prediction": {"type": "string", "enum": ["awe"]}}, "required": ["prediction"]}
REQUEST = Request(request_key="k", image=Path("x.jpg"), image_sha256="0", prompt="Which?", json_schema=SCHEMA, seed=7)
URL = "data:image/png;base64,AAAA"


def entry(**fields: object) -> ModelEntry:
    return ModelEntry.model_validate({"key": "m", "backend": "openai", "id": "served", "base_url": "http://127.0.0.1:1/v1"} | fields)


def test_a_body_says_what_was_asked_and_nothing_else():
    assert body(entry(), REQUEST, URL) == {
        "model": "served",
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": URL}}, {"type": "text", "text": "Which?"}]}],
        "max_tokens": 512,
        "temperature": 0,
    }


def test_only_openai_is_told_max_completion_tokens():
    there = body(entry(base_url=None), REQUEST, URL)
    assert there["max_completion_tokens"] == 512
    assert "max_tokens" not in there


def test_every_option_of_an_entry_is_in_the_body_as_openai_types_it():
    parameters = {"max_new_tokens": 9, "temperature": 0.5, "top_p": 0.9, "logprobs": 3, "extra": {"service_tier": "flex"}}
    said = body(entry(parameters=parameters, image={"detail": "low"}, response_format="json_schema"), REQUEST, URL)
    TypeAdapter(CompletionCreateParams).validate_python(said)
    assert {name: said[name] for name in ("top_p", "seed", "logprobs", "top_logprobs", "service_tier")} == {
        "top_p": 0.9, "seed": 7, "logprobs": True, "top_logprobs": 3, "service_tier": "flex",
    }  # fmt: skip
    assert said["response_format"] == {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}
    assert said["messages"][0]["content"][0]["image_url"]["detail"] == "low"


def test_a_greedy_entry_sends_no_seed_and_an_open_temperature_is_the_servers():
    assert "seed" not in body(entry(), REQUEST, URL)
    left_open = body(entry(parameters={"temperature": None}), REQUEST, URL)
    assert "temperature" not in left_open
    assert left_open["seed"] == 7


def test_logprobs_without_alternatives_are_asked_for_alone():
    said = body(entry(parameters={"logprobs": 0}), REQUEST, URL)
    assert said["logprobs"] is True
    assert "top_logprobs" not in said


@pytest.mark.parametrize("name", ["model", "messages", "stream", "n"])
def test_extra_cannot_change_what_is_asked(name: str):
    with pytest.raises(EveError, match=f"'m' sets {name}"):
        body(entry(parameters={"extra": {name: 1}}), REQUEST, URL)


def completion(**choice: Any) -> dict[str, Any]:
    parts = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "awe"}} | choice
    usage = {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}
    made = {"id": "1", "object": "chat.completion", "created": 0, "model": "served-1", "choices": [parts], "usage": usage}
    ChatCompletion.model_validate(made)
    return made


def test_a_reply_is_priced_by_the_entry():
    prices = {"input_usd": 2.5, "output_usd": 10, "read_on": "2026-01-01", "source": "a test"}
    reply = to_reply(entry(prices=prices), "k", completion(), attempts=2, latency_ms=12.5)
    assert (reply.text, reply.served_model, reply.attempts, reply.latency_ms) == ("awe", "served-1", 2, 12.5)
    assert reply.cost_usd == pytest.approx(0.0025 + 0.0001)
    assert to_reply(entry(), "k", completion()).cost_usd is None


def test_a_refusal_is_the_text_and_a_filter_a_final_delivery():
    refused = to_reply(entry(), "k", completion(message={"role": "assistant", "content": None, "refusal": "I cannot"}))
    assert (refused.text, refused.delivery) == ("I cannot", "received")
    assert to_reply(entry(), "k", completion(finish_reason="content_filter")).delivery == "content_filter"
    assert filtered("k", attempts=3).model_dump(include={"text", "delivery", "attempts"}) == {
        "text": "", "delivery": "content_filter", "attempts": 3,
    }  # fmt: skip


def test_log_probabilities_are_kept_where_the_entry_asks_for_them():
    token = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "é", "logprob": -1.25, "bytes": None}]}
    made = completion(logprobs={"content": [token], "refusal": None})
    kept = to_reply(entry(parameters={"logprobs": 1}), "k", made).logprobs
    assert json.loads(kept or "") == [{"token": "a", "logprob": -0.5, "top": {"é": -1.25}}]
    assert " " not in (kept or "")
    assert to_reply(entry(), "k", made).logprobs is None
    assert to_reply(entry(parameters={"logprobs": 1}), "k", completion()).logprobs is None


@pytest.mark.parametrize("odd", [{}, {"choices": []}, {"choices": [{}]}, {"choices": "no"}, [], None])
def test_what_is_no_completion_is_a_value_error(odd: Any):
    with pytest.raises(ValueError, match=r"choices|Completion|valid"):
        to_reply(entry(), "k", odd)
