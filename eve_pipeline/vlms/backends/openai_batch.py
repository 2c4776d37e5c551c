"""The Batch API of OpenAI and compatible providers: answers within a day, at OpenAI for half the price.

https://platform.openai.com/docs/guides/batch
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.chat_completions import body, filtered, to_reply
from eve_pipeline.vlms.endpoints import ProviderRefused, connect, endpoint, scrubbed, scrubbed_reply
from eve_pipeline.vlms.faults import LONGEST, fault
from eve_pipeline.vlms.protocol import Reply, Request
from eve_pipeline.vlms.registry import ModelEntry
from eve_pipeline.vlms.sent_images import SentImages

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import Batch

MOST_REQUESTS: Final = 50_000
MOST_BYTES: Final = 200_000_000
TAG: Final = "eve_pipeline"
"""Name of the metadata by which a batch is found again whose id was lost."""
RETRIES: Final = 5
ENDED: Final = {"completed", "failed", "expired", "cancelled"}
NOT_ASKED: Final = {"batch_expired", "batch_cancelled"}
NO_RESPONSE: Final = HTTPStatus.INTERNAL_SERVER_ERROR

Answer = TypeVar("Answer")


class OpenAIBatches:
    """The batches of an entry's model at its provider."""

    def __init__(self, entry: ModelEntry, settings: Settings) -> None:
        self.entry = entry
        self.endpoint = endpoint(entry, settings)
        self.images = SentImages(entry.image, settings)

    def line(self, request: Request) -> bytes:
        """Return the line of a batch's file that asks a request; its custom_id is the request's key.

        Raises:
            OSError: the image cannot be read, or has changed since its dataset was prepared.
        """
        asked = body(self.entry, request, self.images.of(request).data_url)
        line = {"custom_id": request.request_key, "method": "POST", "url": "/v1/chat/completions", "body": asked}
        return json.dumps(line).encode() + b"\n"

    def submit(self, file: Path, tag: str) -> "Batch":
        """Hand a file of lines in, and return the batch that answers it.

        Raises:
            EveError: the provider takes it not.
        """

        async def hand_in(client: "AsyncOpenAI") -> "Batch":
            with file.open("rb") as content:
                uploaded = await client.files.create(file=(f"{tag}.jsonl", content), purpose="batch")
            return await client.batches.create(
                input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={TAG: tag}
            )

        return self._run(hand_in)

    def batch(self, batch_id: str) -> "Batch":
        """Return what the provider says of a batch."""
        return self._run(lambda client: client.batches.retrieve(batch_id))

    def find(self, tag: str, since: datetime) -> "Batch | None":
        """Return the batch that carries a tag, of those created since a time, or None."""

        async def look(client: "AsyncOpenAI") -> "Batch | None":
            async for batch in client.batches.list(limit=100):
                if (batch.metadata or {}).get(TAG) == tag:
                    return batch
                if batch.created_at < since.timestamp():
                    return None
            return None

        return self._run(look)

    def replies(self, batch: "Batch") -> Iterator[Reply | str]:
        """Yield the replies of an ended batch, and what is wrong with lines that are none; what it came not to is left out."""
        for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
            for number, line in enumerate(self._content(file_id).splitlines(), 1):
                try:
                    reply = self._reply(json.loads(line), ended_at(batch))
                except (ValueError, TypeError, LookupError) as error:
                    yield scrubbed(f"line {number} of {file_id} is damaged: {error}"[:LONGEST], self.endpoint.key)
                else:
                    if reply:
                        yield scrubbed_reply(reply, self.endpoint.key)

    def forget_images(self, batch: "Batch") -> None:
        """Delete the file that was handed in, so that the images do not stay with the provider."""
        from openai import OpenAIError

        try:
            asyncio.run(self._with_client(lambda client: client.files.delete(batch.input_file_id)))
        except OpenAIError:
            return  # the provider deletes it in its own time; the answers are what counts

    def _content(self, file_id: str) -> bytes:
        return self._run(lambda client: client.files.content(file_id)).content

    def _reply(self, line: dict[str, Any], created_at: datetime) -> Reply | None:
        key, response, error = line["custom_id"], line.get("response") or {}, line.get("error") or {}
        if not response and error.get("code") in NOT_ASKED:
            return None
        status = response.get("status_code", NO_RESPONSE)
        if status == HTTPStatus.OK:
            return to_reply(self.entry, key, response["body"]).model_copy(update={"created_at": created_at})
        met = fault(status, response.get("body") or {"error": error})
        if met.verdict == "filtered":
            return filtered(key).model_copy(update={"created_at": created_at})
        return Reply(request_key=key, delivery="error", error=met.message, created_at=created_at)

    def _run(self, ask: "Callable[[AsyncOpenAI], Awaitable[Answer]]") -> Answer:
        from openai import APIConnectionError, APIStatusError

        try:
            return asyncio.run(self._with_client(ask))
        except APIStatusError as error:
            met = fault(error.status_code, error.response.content, error.response.headers.get("location", ""))
            told = f"Model {self.entry.key!r} is refused by {self.endpoint.base_url}: {scrubbed(met.message, self.endpoint.key)}"
            kind = ProviderRefused if met.verdict == "refused" else EveError
            raise kind(told, met.hint or "Run the same command again later; nothing is lost.") from None
        except APIConnectionError as error:
            told = scrubbed(f"{self.endpoint.base_url} cannot be reached: {error.__cause__!r}", self.endpoint.key)
            raise EveError(told, "Run the same command again later; nothing is lost.") from None

    async def _with_client(self, ask: "Callable[[AsyncOpenAI], Awaitable[Answer]]") -> Answer:
        async with connect(self.endpoint) as client:
            return await ask(client.with_options(max_retries=RETRIES))


def ended_at(batch: "Batch") -> datetime:
    """Return when a batch ended, by the provider's clock, so that collecting twice gives the same rows."""
    seconds = batch.completed_at or batch.expired_at or batch.cancelled_at or batch.failed_at or batch.created_at
    return datetime.fromtimestamp(seconds, UTC)


def cut(lines: Iterable[bytes], most_requests: int = MOST_REQUESTS, most_bytes: int = MOST_BYTES) -> Iterator[list[bytes]]:
    """Yield the lines in the parts that a provider takes as one file each."""
    part: list[bytes] = []
    n_bytes = 0
    for line in lines:
        if part and (len(part) == most_requests or n_bytes + len(line) > most_bytes):
            yield part
            part, n_bytes = [], 0
        part.append(line)
        n_bytes += len(line)
    if part:
        yield part
