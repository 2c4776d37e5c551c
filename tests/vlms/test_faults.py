"""What servers' errors mean, in the words that they use."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.vlms.faults import fault

SAID = [
    ("OpenAI: wrong key", 401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}, "refused", "api_key_env"),
    ("Gemini: wrong key", 400, [{"error": {"message": "API key not valid.", "code": 400}}], "refused", "api_key"),
    ("OpenAI: unknown model", 404, {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}, "refused", "id"),
    ("vLLM: unknown model", 404, {"object": "error", "message": "The model `x` does not exist.", "code": 404}, "refused", "id"),
    ("OpenAI: no quota", 429, {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}, "refused", "billing"),
    ("OpenRouter: no credits", 402, {"error": {"message": "Insufficient credits", "code": 402}}, "refused", "billing"),
    ("OpenAI: max_tokens", 400, {"error": {"message": "Use another", "code": "unsupported_parameter"}}, "refused", "parameters"),
    ("nginx: too large", 413, b"<html>Request Entity Too Large</html>", "refused", "max_side: 1024"),
    ("OpenAI: too large", 400, {"error": {"message": "no", "code": "image_too_large"}}, "refused", "max_side: 1024"),
    ("Anthropic: too large", 400, {"error": {"message": "image exceeds 5 MB maximum: 6 MB > 5 MB"}}, "refused", "max_side: 1024"),
    ("a proxy: moved", 308, b"", "refused", "base_url"),
    ("OpenAI: rate limit", 429, {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}}, "full", ""),
    ("Anthropic: overloaded", 529, {"error": {"message": "Overloaded", "type": "overloaded_error"}}, "full", ""),
    ("a proxy: nobody there", 502, b"<html>Bad Gateway</html>", "again", ""),
    ("OpenAI: fault", 500, {"error": {"message": "The server had an error", "type": "server_error"}}, "again", ""),
    ("conflict", 409, {}, "again", ""),
    ("OpenAI: filter", 400, {"error": {"message": "safety", "code": "content_policy_violation"}}, "filtered", ""),
    ("Azure: filter", 400, {"error": {"code": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, "filtered", ""),
    ("OpenRouter: filter", 403, {"error": {"message": "flagged", "code": 403, "metadata": {"reasons": ["violence"]}}}, "filtered", ""),
    ("OpenRouter: no right", 403, {"error": {"message": "no", "code": 403, "metadata": {"provider_name": "x"}}}, "refused", "api_key_env"),
    ("vLLM: too long", 400, {"error": {"message": "The decoder prompt is longer than the maximum model length"}}, "failed", ""),
    ("OpenAI: not an image", 400, {"error": {"message": "unsupported image", "code": "invalid_image_format"}}, "failed", ""),
    ("FastAPI: not valid", 422, {"detail": [{"msg": "field required"}]}, "failed", ""),
    ("Ollama: plain text", 400, {"error": "invalid image input"}, "failed", ""),
]  # fmt: skip


@pytest.mark.parametrize(("status", "said", "verdict", "hint"), [row[1:] for row in SAID], ids=[row[0] for row in SAID])
def test_an_error_is_read_as_its_server_means_it(status: int, said: Any, verdict: str, hint: str):
    met = fault(status, said if isinstance(said, bytes) else json.dumps(said).encode())
    assert met.verdict == verdict
    assert hint in met.hint
    assert bool(met.hint) == (verdict == "refused")
    assert met.message.startswith(f"{status}: ")


def test_a_redirect_says_where_to():
    met = fault(301, b"", "https://new.example/v1/chat/completions")
    assert "https://new.example/v1" in met.hint
    assert "chat/completions" not in met.hint


def test_a_batchs_error_is_read_from_its_object():
    assert fault(400, {"error": {"message": "no", "code": "content_filter"}}).verdict == "filtered"


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda part: st.lists(part) | st.dictionaries(st.text(), part))


@given(st.integers(300, 599), st.binary() | JSON.map(lambda value: json.dumps({"error": value}).encode()))
def test_whatever_a_server_says_is_one_of_five(status: int, said: bytes):
    assert fault(status, said).verdict in {"again", "full", "filtered", "failed", "refused"}
