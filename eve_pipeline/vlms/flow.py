"""One flow of requests a provider: an event loop in a thread of its own, one client, and slots that all its cells share."""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle
from threading import Lock
from typing import TYPE_CHECKING, Final, Self

import anyio
from anyio.from_thread import start_blocking_portal
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from eve_pipeline.vlms.chat_completions import filtered, to_reply
from eve_pipeline.vlms.endpoints import Endpoint, ProviderRefused, connect, scrubbed, scrubbed_reply
from eve_pipeline.vlms.faults import LONGEST, Fault
from eve_pipeline.vlms.faults import fault as fault_of
from eve_pipeline.vlms.limits import Pace, Slot, Slots
from eve_pipeline.vlms.protocol import Reply, Request
from eve_pipeline.vlms.rate_headers import exhausted_for_s, retry_after_s
from eve_pipeline.vlms.registry import ModelEntry

if TYPE_CHECKING:
    import httpx2

FAULTS: Final = 6
"""Times that a request may meet a fault of the server or the wire before it is given up for this run."""
REFUSALS: Final = 30
"""Times that it may be told to come back later."""
CLIENTS: Final = 32
"""Clients that take turns: a pool of connections looks at each of its own at every request, which for 64 costs more than the request."""
PAUSE_S: Final = 0.5
REST_S: Final = 1.0
LONGEST_REST_S: Final = 600.0
GUESSED_IMAGE_TOKENS: Final = 1000


class PassingError(Exception):
    """A fault that may be gone at the next try."""


class FullError(PassingError):
    """The server has too much to do."""


class UnreachedError(PassingError):
    """The connection failed or was cut."""


class Lane:
    """The requests to one model: its seats are `max_in_flight`, its paces the hard caps a minute; they start in order, one by one."""

    def __init__(self, entry: ModelEntry) -> None:
        self.seats = anyio.CapacityLimiter(entry.limits.max_in_flight)
        self.turnstile = asyncio.Lock()
        self.requests, self.tokens = Pace(entry.limits.requests_per_minute), Pace(entry.limits.tokens_per_minute)
        self.opens_at = 0.0
        self.used_tokens = self.n_used = 0

    async def opened(self) -> None:
        """Wait until the caps and the server's rate limits allow the next request."""
        while (wait := max(self.requests.free_at, self.tokens.free_at, self.opens_at) - time.monotonic()) > 0:  # noqa: ASYNC110 - replies move it
            await asyncio.sleep(wait)

    def expected_tokens(self, request: Request) -> float:
        """Return what a request uses: the mean of the replies so far, before there is one a guess."""
        return self.used_tokens / self.n_used if self.n_used else len(request.prompt) / 4 + GUESSED_IMAGE_TOKENS

    def learn(self, reply: Reply, charged_tokens: float) -> None:
        """Charge what a reply used in place of what was expected."""
        if reply.prompt_tokens is not None:
            used = reply.prompt_tokens + (reply.completion_tokens or 0)
            self.used_tokens, self.n_used = self.used_tokens + used, self.n_used + 1
            self.tokens.charge(self.tokens.free_at, used - charged_tokens)


class Call:
    """One request on its way: its prepared body, and what was met so far."""

    def __init__(self, entry: ModelEntry, request: Request, content: bytes) -> None:
        self.entry, self.request, self.content = entry, request, content
        self.n_attempts = self.n_faults = self.n_full = 0
        self.asked_at = time.monotonic()

    def failed(self, problem: str, latency_ms: float | None = None) -> Reply:
        """Return the reply to a call that got none."""
        told = {"request_key": self.request.request_key, "attempts": max(1, self.n_attempts), "latency_ms": latency_ms}
        return Reply(**told, delivery="error", error=problem)


def has_had_enough(state: RetryCallState) -> bool:
    """Whether a call is given up: soon after faults, late after refusals that say when to come back."""
    call: Call = state.args[0]
    return call.n_faults >= FAULTS or call.n_full >= REFUSALS


def wait_s(state: RetryCallState) -> float:
    """Return the pause before the next try, at random so that calls that failed together do not come back together.

    A refused call has rested already; after faults the longest pause doubles.
    """
    call: Call = state.args[0]
    is_full = state.outcome is not None and isinstance(state.outcome.exception(), FullError)
    longest = PAUSE_S if is_full else PAUSE_S * 2 ** (call.n_faults - 1)
    return random.uniform(0, longest)  # noqa: S311 - no secret


class Flow:
    """A provider that is being asked; entered once, then shared by threads."""

    def __init__(self, endpoint: Endpoint, workers: int) -> None:
        self.endpoint = endpoint
        self.n_users = 0
        self.slots = Slots(1)
        self.lanes: dict[object, Lane] = {}
        self.answered_at = 0.0
        self.pool = ThreadPoolExecutor(workers, "prepare")
        self.stack = ExitStack()

    def __enter__(self) -> Self:
        """Start the loop and connect."""
        import httpx2

        portal = self.stack.enter_context(start_blocking_portal(name=f"flow to {self.endpoint.base_url}"))
        self.loop = portal.call(asyncio.get_running_loop)
        tls = httpx2.create_ssl_context()
        clients = [connect(self.endpoint, tls) for _ in range(CLIENTS)]
        self.clients = cycle(clients)
        for client in clients:
            self.stack.callback(portal.call, client.close)
        self.stack.callback(self.pool.shutdown, wait=False, cancel_futures=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Close connections and end the loop."""
        self.stack.close()

    def lane(self, entry: ModelEntry) -> Lane:
        """Return the lane of an entry's model; entries that ask the same model under the same limits share it."""
        key = (entry.id, entry.limits)
        if key not in self.lanes:
            self.slots.raise_ceiling(entry.limits.max_in_flight)
            self.lanes[key] = Lane(entry)
        return self.lanes[key]

    async def ask(self, call: Call) -> Reply:
        """Return the reply to a call, after as many tries as it takes; what cannot be had is a reply with delivery `error`.

        Raises:
            ProviderRefused: further requests would fare no better.
        """
        lane = self.lane(call.entry)
        retrying = AsyncRetrying(stop=has_had_enough, wait=wait_s, retry=retry_if_exception_type(PassingError), reraise=True)
        async with lane.seats:
            try:
                return await retrying(self._attempt, call, lane)
            except PassingError as error:
                failure = error
        return self._given_up(call, failure)

    async def _attempt(self, call: Call, lane: Lane) -> Reply:
        async with lane.turnstile:
            await lane.opened()
            slot = await self.slots.take()
            charged = lane.expected_tokens(call.request)
            lane.requests.charge(time.monotonic())
            lane.tokens.charge(time.monotonic(), charged)
        try:
            call.n_attempts += 1
            return await self._exchange(call, lane, slot, charged)
        finally:
            self.slots.give_back(slot)

    async def _exchange(self, call: Call, lane: Lane, slot: Slot, charged_tokens: float) -> Reply:
        started = time.perf_counter()
        response = await self._post(call, slot)
        self.answered_at = time.monotonic()
        lane.opens_at = max(lane.opens_at, self.answered_at + min(exhausted_for_s(response.headers), LONGEST_REST_S))
        outcome = outcome_of(call, response, (time.perf_counter() - started) * 1000)
        if isinstance(outcome, Reply):
            lane.learn(outcome, charged_tokens)
            self.slots.is_good(slot)
            return scrubbed_reply(outcome, self.endpoint.key)
        problem = scrubbed(outcome.message, self.endpoint.key)
        if outcome.verdict == "refused":
            raise self._refused(call.entry, problem, outcome.hint)
        if outcome.verdict == "full":
            await self._rest(call, slot, retry_after_s(response.headers))
            raise FullError(problem)
        call.n_faults += 1
        raise PassingError(problem)

    async def _post(self, call: Call, slot: Slot) -> "httpx2.Response":
        import httpx2
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        seconds = call.entry.limits.timeout_s
        try:
            async with asyncio.timeout(seconds):  # httpx counts from byte to byte: a server that drips would never be late
                return await next(self.clients).post(
                    "/chat/completions", cast_to=httpx2.Response, body=call.content, options={"timeout": seconds}
                )
        except APIStatusError as error:
            return error.response
        except (APITimeoutError, TimeoutError):
            await self.slots.rest(slot, 0)
            fault = PassingError(f"no reply within {seconds:g} s: see timeout_s of the entry's limits")
        except APIConnectionError as error:
            fault = UnreachedError(scrubbed(f"the connection failed: {error.__cause__!r}", self.endpoint.key))
        call.n_faults += 1
        raise fault

    async def _rest(self, call: Call, slot: Slot, retry_after: float | None) -> None:
        call.n_full += 1
        if retry_after is not None and retry_after > LONGEST_REST_S:
            wait = f"it asks to come back in {retry_after / 60:.0f} minutes"
            raise self._refused(call.entry, wait, "Run the same command again then: what came back is kept.")
        await self.slots.rest(slot, REST_S if retry_after is None else retry_after)

    def _given_up(self, call: Call, error: PassingError) -> Reply:
        if isinstance(error, UnreachedError) and self.answered_at < call.asked_at:
            raise self._refused(call.entry, str(error), "Nothing answers there: start the server, or correct the entry's base_url.")
        return call.failed(str(error))

    def _refused(self, entry: ModelEntry, problem: str, hint: str) -> ProviderRefused:
        return ProviderRefused(f"Model {entry.key!r} is refused by {self.endpoint.base_url}: {problem}", hint)


def outcome_of(call: Call, response: "httpx2.Response", latency_ms: float) -> Reply | Fault:
    """Return what a response is for a call; a fault of this request alone is a reply already."""
    status, content = response.status_code, response.content
    if response.is_success:
        try:
            completion = json.loads(content)
            if not ("error" in completion and "choices" not in completion):
                return to_reply(call.entry, call.request.request_key, completion, call.n_attempts, latency_ms)
            status = completion["error"]["code"]  # some gateways wrap the error of who is behind them in a 200
        except (ValueError, TypeError, LookupError) as error:
            return Fault("again", f"the reply is no completion: {error}"[:LONGEST])
    met = fault_of(status if isinstance(status, int) else 500, content, response.headers.get("location", ""))
    if met.verdict == "filtered":
        return filtered(call.request.request_key, call.n_attempts, latency_ms)
    return call.failed(met.message, latency_ms) if met.verdict == "failed" else met


_flows: dict[Endpoint, Flow] = {}
_registry = Lock()


@contextmanager
def flow_to(endpoint: Endpoint, workers: int) -> Iterator[Flow]:
    """Give the flow to an endpoint, the same to all threads that ask it at a time; `workers` threads prepare its images."""
    with _registry:
        flow = _flows.get(endpoint) or _flows.setdefault(endpoint, Flow(endpoint, workers).__enter__())
        flow.n_users += 1
    try:
        yield flow
    finally:
        with _registry:
            flow.n_users -= 1
            is_last = not flow.n_users
            if is_last:
                del _flows[endpoint]
        if is_last:
            flow.__exit__()
