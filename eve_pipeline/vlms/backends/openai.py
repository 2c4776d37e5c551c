"""Any OpenAI-compatible endpoint (OpenAI, vLLM, SGLang, Ollama, llama.cpp, LM Studio, `transformers serve`)."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from itertools import islice
from queue import SimpleQueue

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.chat_completions import body
from eve_pipeline.vlms.endpoints import endpoint, scrubbed
from eve_pipeline.vlms.flow import Call, Flow, flow_to
from eve_pipeline.vlms.protocol import Reply, Request
from eve_pipeline.vlms.registry import ModelEntry
from eve_pipeline.vlms.sent_images import SentImages

LOOK_AHEAD = 16
"""Requests that are prepared while those before them are under way."""
CANCELLING_S = 1.0


@contextmanager
def open_vlm(entry: ModelEntry, settings: Settings) -> Iterator["OpenAIVlm"]:
    """Connect to the entry's endpoint.

    All that ask one endpoint with one key at a time share its flow: a connected client, and slots given out first come, first served.
    It ends when the last of them leaves. Both `open_vlm` and `respond` may be called in several threads at once.

    Raises:
        EveError: the endpoint or its key cannot be used as the entry says.
    """
    with flow_to(endpoint(entry, settings), settings.workers) as flow:
        yield OpenAIVlm(entry, flow, SentImages(entry.image, settings))


class OpenAIVlm:
    """A chat-completions endpoint, with up to `max_in_flight` requests under way."""

    def __init__(self, entry: ModelEntry, flow: Flow, images: SentImages) -> None:
        self.entry, self.flow, self.images = entry, flow, images

    def respond(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """Yield the replies as they arrive; requests are pulled when there is a place for them.

        Closing the iterator cancels what is under way.

        Raises:
            ProviderRefused: the provider would refuse all further requests too: a bad key, an unknown model, no quota, too large images.
        """
        waiting, n_open, at_once = iter(requests), 0, self.entry.limits.max_in_flight
        cell = AskedCell(self.entry, self.flow, self.images)
        try:
            while True:
                for request in islice(waiting, at_once + min(at_once, LOOK_AHEAD) - n_open):
                    cell.put(request)
                    n_open += 1
                if not n_open:
                    return
                arrived = cell.arrived.get()
                n_open -= 1
                if isinstance(arrived, Reply):
                    yield arrived
                else:
                    yield from cell.others()
                    raise arrived
        finally:
            cell.cancel()


class AskedCell:
    """The requests of one `respond`: prepared in threads, asked in the flow's loop, `arrived` when they are answered."""

    def __init__(self, entry: ModelEntry, flow: Flow, images: SentImages) -> None:
        self.entry, self.flow, self.images = entry, flow, images
        self.arrived: SimpleQueue[Reply | EveError] = SimpleQueue()
        self.tasks: set[asyncio.Task[None]] = set()
        self.is_over = False

    def put(self, request: Request) -> None:
        """Send a request on its way."""
        self.flow.pool.submit(self._prepare, request)

    def others(self) -> Iterator[Reply]:
        """Yield the replies that have arrived beside the one in hand."""
        while not self.arrived.empty():
            arrived = self.arrived.get()
            if isinstance(arrived, Reply):
                yield arrived

    def cancel(self) -> None:
        """Stop what is under way, and wait until it has."""
        self.is_over = True
        if self.tasks:
            wait([asyncio.run_coroutine_threadsafe(self._cancel(), self.flow.loop)], timeout=CANCELLING_S)

    async def _cancel(self) -> None:
        self._stop()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def _stop(self) -> None:
        self.is_over = True
        for task in self.tasks - {asyncio.current_task()}:
            task.cancel()

    def _prepare(self, request: Request) -> None:
        if self.is_over:
            return
        try:
            content = json.dumps(body(self.entry, request, self.images.of(request).data_url)).encode()
        except EveError as error:
            self.arrived.put(error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one picture must not stop the others
            self.arrived.put(Reply.failed(request, f"{request.image} cannot be sent: {error}"))
        else:
            self.flow.loop.call_soon_threadsafe(self._start, Call(self.entry, request, content))

    def _start(self, call: Call) -> None:
        if not self.is_over:
            task = self.flow.loop.create_task(self._ask(call))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _ask(self, call: Call) -> None:
        try:
            self.arrived.put(await self.flow.ask(call))
        except EveError as error:
            self._stop()  # before another is sent to be refused as well
            self.arrived.put(error)
        except Exception as error:  # noqa: BLE001 - whatever one server's reply does must not stop the others
            self.arrived.put(call.failed(scrubbed(f"{type(error).__name__}: {error}", self.flow.endpoint.key)))
