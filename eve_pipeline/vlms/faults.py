"""What a reply that is not a completion means: ask again, wait, give this request up, or stop asking the provider."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple

FILTER_CODES: Final = {"content_filter", "content_policy_violation", "moderation_blocked", "ResponsibleAIPolicyViolation"}
QUOTA_CODES: Final = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
SIZE_CODES: Final = {"image_too_large", "request_too_large"}
ENTRY_CODES: Final = {"model_not_found", "invalid_api_key", "unsupported_parameter", "unsupported_value", "unknown_parameter"}
TOO_LARGE: Final = re.compile(r"image[^.]{0,80}(too large|exceeds)", re.IGNORECASE)
BAD_KEY: Final = "API key not valid"  # Gemini's, as a 400
AGAIN: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY}
FULL: Final = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, 529}  # 529: Anthropic's "overloaded"
REFUSED: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
LONGEST: Final = 500  # characters of a server's message that are kept

Verdict = Literal["again", "full", "filtered", "failed", "refused"]


class Fault(NamedTuple):
    """What went wrong with one request.

    `again` and `full` (the server is busy) pass with time; `filtered` and `failed` are about this request alone; `refused` is what
    every further request would get, with a hint at what to change.
    """

    verdict: Verdict
    message: str
    hint: str = ""


def fault(status: int, content: bytes | Mapping[str, Any], location: str = "") -> Fault:
    """Return what a reply of an HTTP status, with the body as it came or parsed, means; `location` is where it points to."""
    error = error_object(content)
    message = f"{status}: {str(error.get('message') or 'no message')[:LONGEST]}"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        where = location.removesuffix("/chat/completions") or "where it does not say"
        return Fault("refused", f"{status}: it redirects to {where}", f"Images go to the entry's base_url alone: set it to {where}.")
    if is_filtered(status, error):
        return Fault("filtered", message)
    if hint := hint_at_refusal(status, error):
        return Fault("refused", message, hint)
    if status in FULL:
        return Fault("full", message)
    if status in AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Fault("again", message)
    return Fault("failed", message)


def error_object(content: bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the error of a body: message, code and what else the server says; servers wrap it in several ways, proxies not at all."""
    try:
        parsed = json.loads(content) if isinstance(content, bytes) else content
    except ValueError:
        return {"message": str(content, "utf-8", "replace") if isinstance(content, bytes) else None}
    error = parsed.get("error", parsed) if isinstance(parsed, Mapping) else parsed
    if not isinstance(error, Mapping):
        return {"message": error}
    return error if "message" in error else {"message": error.get("detail"), **error}


def is_filtered(status: int, error: Mapping[str, Any]) -> bool:
    """Whether moderation refused this one input: by code (OpenAI, Azure), or as a 403 with reasons (OpenRouter)."""
    inner, metadata = error.get("innererror"), error.get("metadata")
    codes = {_code(error), error.get("type"), inner.get("code") if isinstance(inner, Mapping) else None}
    flagged = isinstance(metadata, Mapping) and ("reasons" in metadata or "flagged_input" in metadata)
    return bool(codes & FILTER_CODES) or (status == HTTPStatus.FORBIDDEN and flagged)


def hint_at_refusal(status: int, error: Mapping[str, Any]) -> str:
    """Return what to change where the server would refuse every further request too, else an empty text."""
    codes, message = {_code(error), error.get("type")}, str(error.get("message"))
    if codes & QUOTA_CODES or status == HTTPStatus.PAYMENT_REQUIRED:
        return "The account's quota is used up, which no waiting mends: see its plan and billing, then run the same command again."
    is_bad = status == HTTPStatus.BAD_REQUEST
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or codes & SIZE_CODES or (is_bad and TOO_LARGE.search(message)):
        return "Have images scaled down before they are sent: image: {max_side: 1024} in the entry."
    if status in REFUSED or codes & ENTRY_CODES or (is_bad and BAD_KEY in message):
        return "Check the entry's id, base_url, parameters and the environment variable of its api_key_env."
    return ""


def _code(error: Mapping[str, Any]) -> str | None:
    code = error.get("code")
    return code if isinstance(code, str) else None
