"""When a server wants to be asked again, as its headers say."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

SECONDS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")
EPOCH: Final = 1e9  # no server asks to wait for 30 years: such a number is a point in time


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds to wait by `retry-after-ms` (milliseconds) or `retry-after` (seconds or an HTTP date), None where neither is told.

    Source: RFC 9110, section 10.2.3; `retry-after-ms` is OpenAI's.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    told = headers.get("retry-after", "")
    seconds = _number(told)
    if seconds is not None:
        return seconds
    try:
        date = parsedate_to_datetime(told)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - (now or datetime.now(UTC))).total_seconds())


def exhausted_for_s(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Return the seconds until requests and tokens are allowed again where `x-ratelimit-remaining-*` says that none is left, else 0."""
    waits = [
        reset_s(headers.get(f"x-ratelimit-reset-{kind}", ""), now)
        for kind in ("requests", "tokens")
        if _number(headers.get(f"x-ratelimit-remaining-{kind}", "")) == 0
    ]
    return max(waits, default=0.0)


def reset_s(told: str, now: datetime | None = None) -> float:
    """Return the seconds of a reset: `6m0s`, `20ms`, `1.5`, seconds since 1970, or an ISO date; 0 for what is none of them."""
    now = now or datetime.now(UTC)
    number = _number(told)
    if number is not None:
        return max(0.0, number - now.timestamp()) if number > EPOCH else number
    if told and PART.sub("", told) == "":
        return sum(float(amount) * SECONDS[unit] for amount, unit in PART.findall(told))
    try:
        date = datetime.fromisoformat(told)
    except ValueError:
        return 0.0
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


def _number(told: str) -> float | None:
    return float(told) if re.fullmatch(r"\d{1,15}(\.\d*)?", told.strip()) else None
