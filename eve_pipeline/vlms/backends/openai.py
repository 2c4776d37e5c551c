"""Any OpenAI-compatible endpoint (OpenAI, vLLM, SGLang, Ollama, llama.cpp, LM Studio, `transformers serve`)."""

import asyncio
import base64
import io
import time
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from PIL import Image

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.images import read_image
from eve_pipeline.vlms.protocol import Reply, Request
from eve_pipeline.vlms.registry import ModelEntry

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletion

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_HOST = "api.openai.com"
RETRIES = 6
FILTER_CODES = {"content_filter", "content_policy_violation"}


@contextmanager
def open_vlm(entry: ModelEntry, settings: Settings) -> Iterator["OpenAIVlm"]:
    """Connect to the entry's endpoint."""
    base_url = entry.base_url or OPENAI_URL
    yield OpenAIVlm(entry, base_url, api_key(entry, base_url, settings))


def api_key(entry: ModelEntry, base_url: str, settings: Settings) -> str:
    """Return the key for the endpoint's host: OPENAI_API_KEY goes to OpenAI alone, another host gets the entry's key or a dummy.

    Raises:
        EveError: the key is not set, or the entry would send OpenAI's key elsewhere.
    """
    is_openai = urlsplit(base_url).hostname == OPENAI_HOST
    variable = entry.api_key_env or ("OPENAI_API_KEY" if is_openai else None)
    if variable == "OPENAI_API_KEY" and not is_openai:
        raise EveError(
            f"Model {entry.key!r} would send OPENAI_API_KEY to {base_url}",
            "Name another environment variable in its api_key_env.",
        )
    if variable is None:
        return "none"
    secret = settings.secret(variable)
    if secret is None:
        raise EveError(f"Model {entry.key!r} needs an API key", f"Set the environment variable {variable}.")
    return secret.get_secret_value()


class OpenAIVlm:
    """A chat-completions endpoint, with up to `max_in_flight` requests under way; the client retries what can be retried."""

    def __init__(self, entry: ModelEntry, base_url: str, key: str) -> None:
        self.entry = entry
        self.base_url = base_url
        self.key = key

    def respond(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """Yield the replies as they arrive; a refused key or an unknown model ends the run with an error that says what to fix."""
        with asyncio.Runner() as runner:
            replies = self._stream(requests)
            try:
                while True:
                    try:
                        yield runner.run(anext(replies))
                    except StopAsyncIteration:
                        return
            finally:
                runner.run(replies.aclose())

    def _connect(self) -> "AsyncOpenAI":
        from openai import AsyncOpenAI

        return AsyncOpenAI(base_url=self.base_url, api_key=self.key, max_retries=RETRIES, timeout=self.entry.limits.timeout_s)

    async def _stream(self, requests: Iterable[Request]) -> AsyncGenerator[Reply, None]:
        waiting = iter(requests)
        under_way: set[asyncio.Task[Reply]] = set()
        done: set[asyncio.Task[Reply]] = set()
        async with self._connect() as client:
            try:
                while True:
                    fresh = islice(waiting, self.entry.limits.max_in_flight - len(under_way))
                    under_way |= {asyncio.create_task(self._ask(client, request)) for request in fresh}
                    if not under_way:
                        return
                    done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                    for task in sorted(done, key=lambda task: task.exception() is not None):
                        yield task.result()
            finally:
                for task in under_way:
                    task.cancel()
                await asyncio.gather(*under_way, *done, return_exceptions=True)

    async def _ask(self, client: "AsyncOpenAI", request: Request) -> Reply:
        from openai import AuthenticationError, BadRequestError, NotFoundError, PermissionDeniedError

        started = time.perf_counter()
        try:
            body = await asyncio.to_thread(self._body, request)
            raw = await client.chat.completions.with_raw_response.create(**body)
            latency_ms = (time.perf_counter() - started) * 1000
            return self._reply(request, raw.parse(), 1 + raw.retries_taken, latency_ms)
        except (AuthenticationError, PermissionDeniedError, NotFoundError) as error:
            raise EveError(
                f"Model {self.entry.key!r} is refused by {client.base_url}: {error.message}",
                "Check the entry's id, base_url and the environment variable of its api_key_env.",
            ) from error
        except BadRequestError as error:
            return filtered(request) if error.code in FILTER_CODES else Reply.failed(request, error)
        except Exception as error:  # noqa: BLE001 - whatever one server's reply does must not stop the others
            return Reply.failed(request, f"{type(error).__name__}: {error}")

    def _body(self, request: Request) -> dict[str, Any]:
        parameters = self.entry.parameters
        image: dict[str, Any] = {"url": data_url(read_image(request))}
        if self.entry.image.detail:
            image["detail"] = self.entry.image.detail
        content = [{"type": "text", "text": request.prompt}, {"type": "image_url", "image_url": image}]
        optional = {
            "temperature": parameters.temperature,
            "top_p": parameters.top_p,
            "seed": None if self.entry.is_greedy else request.seed,
            "response_format": {"type": self.entry.response_format} if self.entry.response_format else None,
        }
        return {
            "model": self.entry.id,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": parameters.max_new_tokens,
            **{name: value for name, value in optional.items() if value is not None},
        }

    def _reply(self, request: Request, completion: "ChatCompletion", attempts: int, latency_ms: float) -> Reply:
        if not completion.choices:
            return Reply.failed(request, "the server sent a completion without choices")
        choice, usage = completion.choices[0], completion.usage
        return Reply(
            request_key=request.request_key,
            text=choice.message.content or choice.message.refusal or "",
            finish_reason=choice.finish_reason,
            delivery="content_filter" if choice.finish_reason == "content_filter" else "received",
            served_model=completion.model,
            system_fingerprint=completion.system_fingerprint,
            prompt_tokens=usage.prompt_tokens if usage else None,
            completion_tokens=usage.completion_tokens if usage else None,
            cost_usd=self._cost_usd(usage.prompt_tokens, usage.completion_tokens) if usage else None,
            latency_ms=latency_ms,
            attempts=attempts,
        )

    def _cost_usd(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        prices = self.entry.prices
        if prices is None:
            return None
        return (prompt_tokens * prices.input_usd + completion_tokens * prices.output_usd) / 1_000_000


def filtered(request: Request) -> Reply:
    """Return the reply to a request whose input the provider's filter refused: final, like a filtered answer."""
    return Reply(request_key=request.request_key, text="", finish_reason="content_filter", delivery="content_filter")


def data_url(content: bytes) -> str:
    """Return an image file's own bytes as a data URL of its real media type; a camera's JPEG of several frames (MPO) goes as a JPEG."""
    with Image.open(io.BytesIO(content)) as opened:
        media_type = "image/jpeg" if opened.format == "MPO" else opened.get_format_mimetype()
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
