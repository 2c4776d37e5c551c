"""How many requests a provider gets at once and a minute."""

import asyncio
from collections import deque
from typing import Final

import anyio

WINDOW: Final = 32
MANY: Final = 7
"""Of the last 32 replies (20 %), said no: the server is full."""
GOOD_A_SLOT: Final = 4
SET_BACK: Final = 2
"""Limits' worth of good replies that a refusal undoes: a full server is then probed for more in 5 % of requests at most."""


class AdaptiveLimit:
    """How many requests may be under way: the ceiling, until a server is full.

    A server is full where many of the last replies are 429 or timeouts: the limit falls to the requests that it was then working on,
    but never below the number beside which a request was lately accepted, so that refusals at random lower nothing for long. It
    rises by one per 4 x limit good replies; each refusal sets that count back.

    With 64 slots, 200 ms and Retry-After: 1 (tests/vlms/test_limits.py), in multiples of n * latency / slots: 1.4 where 3 % are refused
    at random, 3.7 where 10 % are; where the server takes 16 at once, 5 % of requests are refused, and it is kept busy to 3 %.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = self.limit = ceiling
        self.refusals: deque[bool] = deque(maxlen=WINDOW)
        self.accepted: deque[int] = deque(maxlen=WINDOW)
        self.n_good = 0

    def is_good(self, n_under_way: int) -> None:
        """Count a reply that the server worked for, to a request that was sent as one of so many under way."""
        self.refusals.append(False)
        self.accepted.append(n_under_way)
        self.n_good += 1
        if self.limit < self.ceiling and self.n_good >= GOOD_A_SLOT * self.limit:
            self.limit, self.n_good = self.limit + 1, 0

    def is_full(self, n_served: int) -> bool:
        """Count a refusal while `n_served` other requests were at the server; return whether the limit fell."""
        self.refusals.append(True)
        self.n_good = max(0, self.n_good - SET_BACK * self.limit)
        shown = max(1, n_served, *self.accepted)
        if sum(self.refusals) < MANY or shown >= self.limit:
            return False
        self.limit, self.n_good = shown, 0
        return True


class Slots:
    """The requests under way at a provider, first come, first served; a refused one keeps its slot while it rests.

    When the limit falls, it takes the place of the slots that rest: they are free again at once.
    """

    def __init__(self, ceiling: int) -> None:
        self.rule = AdaptiveLimit(ceiling)
        self.limiter = anyio.CapacityLimiter(ceiling)
        self.resting: set[Slot] = set()

    def raise_ceiling(self, ceiling: int) -> None:
        """Let an entry that allows more requests than those before have them."""
        if ceiling > self.rule.ceiling:
            self.rule.limit += ceiling - self.rule.ceiling if self.rule.limit == self.rule.ceiling else 0
            self.rule.ceiling = ceiling
            self.limiter.total_tokens = self.rule.limit

    async def take(self) -> "Slot":
        """Wait for a slot."""
        slot = Slot()
        await self.limiter.acquire_on_behalf_of(slot)
        slot.n_under_way = self.n_under_way
        return slot

    @property
    def n_under_way(self) -> int:
        """Requests that are at the server."""
        return self.limiter.borrowed_tokens - len(self.resting)

    def give_back(self, slot: "Slot") -> None:
        """Let the next request have the slot."""
        self.resting.discard(slot)
        if not slot.is_free:
            self._free(slot)

    def is_good(self, slot: "Slot") -> None:
        """Count a reply that the server worked for."""
        self.rule.is_good(slot.n_under_way)
        self.limiter.total_tokens = self.rule.limit

    async def rest(self, slot: "Slot", seconds: float) -> None:
        """Count a refusal, and keep its slot from being used for so long."""
        self.resting.add(slot)
        if self.rule.is_full(self.n_under_way):
            self.limiter.total_tokens = self.rule.limit
            while self.resting:
                self._free(self.resting.pop())
        await asyncio.sleep(seconds)

    def _free(self, slot: "Slot") -> None:
        slot.is_free = True
        self.limiter.release_on_behalf_of(slot)


class Slot:
    """One request's place, taken when `n_under_way` requests were at the server, itself included."""

    def __init__(self) -> None:
        self.n_under_way = 0
        self.is_free = False


class Pace:
    """A hard cap a minute, kept by spacing: no 60 seconds hold more than the cap and one request.

    Source: the generic cell rate algorithm with no burst (ITU-T I.371, annex A); a bucket that starts full would let twice the cap pass
    in its first minute.
    """

    def __init__(self, per_minute: int | None) -> None:
        self.interval_s = 60 / per_minute if per_minute else 0.0
        self.free_at = 0.0

    def charge(self, now: float, amount: float = 1) -> None:
        """Use up an amount; a negative one gives back what was charged too much."""
        self.free_at = max(self.free_at, now) + amount * self.interval_s
