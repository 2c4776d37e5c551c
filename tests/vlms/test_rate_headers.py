"""Headers that say when to come back, as OpenAI, Azure, Groq and others write them."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.vlms.rate_headers import exhausted_for_s, reset_s, retry_after_s

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": "Sat, 31 Jan 2026 12:01:30 GMT"}, 90),
        ({"retry-after": "Sat, 31 Jan 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_milliseconds_or_a_date(headers: dict[str, str], seconds: float | None):
    assert retry_after_s(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("6m0s", 360), ("20ms", 0.02), ("1h2m3s", 3723), ("2m59.56s", 179.56), ("7", 7), ("1.5s", 1.5), ("1d", 86400),
        (str(NOW.timestamp() + 42), 42), ("2026-01-31T12:00:30Z", 30), ("", 0), ("never", 0), ("5x", 0),
    ],
)  # fmt: skip
def test_a_reset_is_read_in_every_spelling(told: str, seconds: float):
    assert reset_s(told, NOW) == pytest.approx(seconds)


def test_only_what_is_used_up_is_waited_for():
    left = {"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "60s"}
    assert exhausted_for_s(left) == 0
    tokens = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "2s"}
    assert exhausted_for_s(left | tokens) == 2
    assert exhausted_for_s({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "5s"} | tokens) == 5


@given(st.integers(0, 10**6))
def test_an_http_date_is_its_distance(seconds: int):
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert retry_after_s({"retry-after": date}, NOW) == seconds


@given(st.text())
def test_nothing_a_server_says_raises(told: str):
    assert (retry_after_s({"retry-after": told, "retry-after-ms": told}) or 0) >= 0
    assert reset_s(told) >= 0
