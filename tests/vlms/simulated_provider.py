"""A provider in simulated time, asked through the real slots: what a rule for the limit costs, without waiting for it."""

import asyncio
import random
from collections.abc import Callable
from typing import NamedTuple

from eve_pipeline.vlms.limits import Slots

LATENCY_S = 0.2
RETRY_AFTER_S = 1.0


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next thing to do."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self.now = max(self.now, self._scheduled[0].when())
        super()._run_once()


class Outcome(NamedTuple):
    """What asking came to: `slowness` is the time in multiples of n * latency / in-flight, `wasted` the share of requests refused."""

    slowness: float
    wasted: float
    limit: int


def ask(n: int, in_flight: int, *, stray: float = 0.0, cap: Callable[[float], int] = lambda _: 10**6, seed: int = 0) -> Outcome:
    """Ask `n` requests of a server that refuses a share `stray` of them at random, and all beyond `cap(time)` at once."""
    chance = random.Random(seed)  # noqa: S311 - faults, not secrets
    counts = {"at_server": 0, "refused": 0}
    slots = None

    async def request() -> None:
        loop = asyncio.get_running_loop()
        while True:
            slot = await slots.take()
            try:
                if counts["at_server"] >= cap(loop.time()) or chance.random() < stray:
                    await asyncio.sleep(0.002)
                    counts["refused"] += 1
                    await slots.rest(slot, RETRY_AFTER_S)
                else:
                    counts["at_server"] += 1
                    await asyncio.sleep(LATENCY_S * chance.uniform(0.8, 1.2))
                    counts["at_server"] -= 1
                    slots.is_good(slot)
                    return
            finally:
                slots.give_back(slot)
            await asyncio.sleep(chance.uniform(0, 0.5))

    async def everything() -> None:
        nonlocal slots
        slots = Slots(in_flight)
        waiting = iter(range(n))

        async def seat() -> None:
            for _ in waiting:
                await request()

        await asyncio.gather(*(seat() for _ in range(in_flight + 16)))

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        runner.run(everything())
        seconds = runner.get_loop().time()
    refused = counts["refused"]
    return Outcome(seconds / (n * LATENCY_S / in_flight), refused / (n + refused), slots.rule.limit)
