"""The rule for requests at once, in simulated time; hard caps a minute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.vlms.limits import MANY, AdaptiveLimit, Pace
from tests.vlms.simulated_provider import ask


def test_a_server_without_faults_gets_all_that_the_entry_allows():
    assert ask(2000, 64)._replace(slowness=1.0) == (1.0, 0.0, 64)
    assert ask(2000, 64).slowness < 1.05


@pytest.mark.parametrize("seed", range(3))
def test_stray_refusals_cost_their_own_slot_alone(seed: int):
    outcome = ask(2000, 64, stray=0.03, seed=seed)
    assert outcome.limit == 64
    assert outcome.slowness < 1.5


def test_many_stray_refusals_do_not_make_it_collapse():
    assert ask(2000, 64, stray=0.1).slowness < 4


@pytest.mark.parametrize(("cap", "most_wasted"), [(8, 0.1), (16, 0.06), (32, 0.05)])
def test_it_settles_near_what_a_full_server_takes(cap: int, most_wasted: float):
    outcome = ask(4000, 64, cap=lambda _: cap)
    assert cap <= outcome.limit <= cap + 4
    assert outcome.wasted < most_wasted
    assert outcome.slowness < 1.08 * 64 / cap


def test_it_rises_again_when_the_server_has_room():
    outcome = ask(4000, 64, cap=lambda now: 4 if now < 10 else 1000)
    assert outcome.limit > 30


def test_a_few_refusals_lower_nothing_and_many_at_once_lower_it_to_what_is_served():
    limit = AdaptiveLimit(64)
    assert not any(limit.is_full(63 - number) for number in range(MANY - 1))
    assert limit.limit == 64
    assert limit.is_full(20)
    assert limit.limit == 20


def test_it_never_falls_below_what_was_lately_accepted():
    limit = AdaptiveLimit(64)
    limit.is_good(40)
    for _ in range(MANY):
        limit.is_full(3)
    assert limit.limit == 40


@given(
    st.lists(st.one_of(st.tuples(st.just("good"), st.integers(1, 64)), st.tuples(st.just("full"), st.integers(0, 63)))), st.integers(1, 64)
)
def test_it_stays_between_one_and_the_ceiling(replies: list[tuple[str, int]], ceiling: int):
    limit = AdaptiveLimit(ceiling)
    for kind, number in replies:
        limit.is_good(number) if kind == "good" else limit.is_full(number)
        assert 1 <= limit.limit <= ceiling


@given(st.integers(1, 600), st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_no_minute_holds_more_than_the_cap_and_one(per_minute: int, pauses: list[float]):
    pace, now, starts = Pace(per_minute), 100.0, []
    for pause in pauses * 5:
        now = max(now + pause / 10, pace.free_at)
        pace.charge(now)
        starts.append(now)
    for first in starts:
        assert sum(first <= start < first + 60 for start in starts) <= per_minute + 1


def test_an_entry_without_a_cap_never_waits():
    pace = Pace(None)
    pace.charge(10.0, 10**9)
    assert pace.free_at == 10.0
