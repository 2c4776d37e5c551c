"""The chat-completions interface: what a request's body says, and what a completion becomes."""

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from eve_pipeline.errors import EveError
from eve_pipeline.vlms.endpoints import is_openai
from eve_pipeline.vlms.protocol import Reply, Request
from eve_pipeline.vlms.registry import ModelEntry

RESERVED: Final = {"model", "messages", "stream", "n"}


def body(entry: ModelEntry, request: Request, image_url: str) -> dict[str, Any]:
    """Return the JSON of a request about one image, which is given as a URL, most often a data URL.

    Raises:
        EveError: `parameters.extra` says what the pipeline itself decides.
    """
    parameters = entry.parameters
    if refused := RESERVED & parameters.extra.keys():
        raise EveError(f"parameters.extra of model {entry.key!r} sets {', '.join(sorted(refused))}", "Leave that out.")
    detail = {"detail": entry.image.detail} if entry.image.detail else {}
    # the image first, as local models are asked: a chat template keeps the order
    content = [{"type": "image_url", "image_url": {"url": image_url} | detail}, {"type": "text", "text": request.prompt}]
    optional = {
        # OpenAI's newer models refuse max_tokens, and most other servers know nothing else
        "max_completion_tokens" if is_openai(entry.base_url) else "max_tokens": parameters.max_new_tokens,
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "seed": None if entry.is_greedy else request.seed,
        "response_format": response_format(entry, request),
        "logprobs": None if parameters.logprobs is None else True,
        "top_logprobs": parameters.logprobs or None,
    }
    present = {name: value for name, value in optional.items() if value is not None}
    return {"model": entry.id, "messages": [{"role": "user", "content": content}]} | present | parameters.extra


def response_format(entry: ModelEntry, request: Request) -> dict[str, Any] | None:
    """Return the form that the entry holds the answer to."""
    if entry.response_format == "json_schema":
        return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": request.json_schema}}
    return {"type": entry.response_format} if entry.response_format else None


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Message(_Lenient):
    """What the model said."""

    content: str | None = None
    refusal: str | None = None


class Alternative(_Lenient):
    """A token that could have stood there."""

    token: str
    logprob: float


class Token(Alternative):
    """A token of the reply."""

    top_logprobs: list[Alternative] | None = None


class Logprobs(_Lenient):
    """The log probabilities of a reply's tokens."""

    content: list[Token] | None = None


class Choice(_Lenient):
    """One answer."""

    message: Message
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class Usage(_Lenient):
    """What is paid for, in tokens."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Completion(_Lenient):
    """The part of a completion that is kept."""

    choices: list[Choice]
    model: str | None = None
    system_fingerprint: str | None = None
    usage: Usage | None = None


def to_reply(
    entry: ModelEntry, request_key: str, completion: Mapping[str, Any], attempts: int = 1, latency_ms: float | None = None
) -> Reply:
    """Return the reply that a completion, as parsed from JSON, holds.

    Raises:
        ValueError: it is not a completion, or one without an answer.
    """
    parsed = Completion.model_validate(completion)
    if not parsed.choices:
        raise ValueError("the server sent a completion without choices")
    choice, usage = parsed.choices[0], parsed.usage or Usage()
    return Reply(
        request_key=request_key,
        text=choice.message.content or choice.message.refusal or "",
        finish_reason=choice.finish_reason,
        delivery="content_filter" if choice.finish_reason == "content_filter" else "received",
        served_model=parsed.model,
        system_fingerprint=parsed.system_fingerprint,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cost_usd=cost_usd(entry, usage),
        latency_ms=latency_ms,
        attempts=attempts,
        logprobs=logprobs(choice) if entry.parameters.logprobs is not None else None,
    )


def cost_usd(entry: ModelEntry, usage: Usage) -> float | None:
    """Return the price of a reply by the entry's rates, None where either is not known."""
    prices = entry.prices
    if prices is None or usage.prompt_tokens is None:
        return None
    return (usage.prompt_tokens * prices.input_usd + (usage.completion_tokens or 0) * prices.output_usd) / 1_000_000


def logprobs(choice: Choice) -> str | None:
    """Return the reply's tokens with their log probabilities and their likeliest alternatives as compact JSON."""
    if choice.logprobs is None or choice.logprobs.content is None:
        return None
    tokens = [
        {"token": token.token, "logprob": token.logprob, "top": {other.token: other.logprob for other in token.top_logprobs or ()}}
        for token in choice.logprobs.content
    ]
    return json.dumps(tokens, separators=(",", ":"))


def filtered(request_key: str, attempts: int = 1, latency_ms: float | None = None) -> Reply:
    """Return the reply to a request whose input the provider's filter refused: final, like a filtered answer."""
    return Reply(
        request_key=request_key,
        text="",
        finish_reason="content_filter",
        delivery="content_filter",
        attempts=attempts,
        latency_ms=latency_ms,
    )
