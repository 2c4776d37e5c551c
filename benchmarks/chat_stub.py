"""An OpenAI-compatible chat server on loopback with a fixed latency and chosen faults.

    python chat_stub.py PORT [--latency 0.2] [--fault-rate 0.0] [--seed 0] [--max-in-flight 0]

POST /v1/chat/completions answers {"prediction": <emotion>}, chosen by the images' bytes: equal images get equal answers. A share
--fault-rate of requests gets, in equal parts: 429 with Retry-After: 1, 500, a cut connection, a reply three times as slow, an answer cut
short, and a content filter's refusal. Above --max-in-flight requests at once it answers 429. GET /v1/models lists one model; GET /stats
returns {requests, ok, faults, peak_in_flight, distinct_images} since it was last asked.
"""

import argparse
import asyncio
import hashlib
import json
import random
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]

LABELS = ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness")
FAULTS = ("rate_limit", "server_error", "cut", "slow", "truncated", "content_filter")
MODELS = {"object": "list", "data": [{"id": "stub-vlm", "object": "model", "created": 1, "owned_by": "stub"}]}


class Stub:
    """An ASGI application: bare of any framework, so that it is not what a benchmark measures."""

    def __init__(self, latency: float, fault_rate: float, seed: int, max_in_flight: int) -> None:
        self.latency, self.fault_rate, self.max_in_flight = latency, fault_rate, max_in_flight
        self.random = random.Random(seed)  # noqa: S311 - faults, not secrets
        self.in_flight = 0
        self.stats()

    def stats(self) -> dict[str, int]:
        """Return the counts and start them anew."""
        counts = dict(vars(self).get("counts", {}), distinct_images=len(vars(self).get("images", ())))
        self.counts = {"requests": 0, "ok": 0, "faults": 0, "peak_in_flight": 0}
        self.images: set[bytes] = set()
        return counts

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        match scope.get("path"):
            case "/v1/chat/completions":
                await self.chat(await _body(receive), send)
            case "/stats":
                await _reply(send, self.stats())
            case _:
                await _reply(send, MODELS)

    async def chat(self, body: bytes, send: Send) -> None:
        """Count the request while it is answered."""
        self.in_flight += 1
        self.counts["requests"] += 1
        self.counts["peak_in_flight"] = max(self.counts["peak_in_flight"], self.in_flight)
        try:
            await self.answer(body, send)
        finally:
            self.in_flight -= 1

    async def answer(self, body: bytes, send: Send) -> None:
        """Answer, or do what the fault drawn for this request says."""
        is_full = self.max_in_flight and self.in_flight > self.max_in_flight
        fault = self.random.choice(FAULTS) if not is_full and self.random.random() < self.fault_rate else None
        self.counts["faults"] += fault is not None
        if is_full or fault == "rate_limit":
            return await _reply(send, _error("rate limit", "rate_limit_error"), 429, [(b"retry-after", b"1")])
        await asyncio.sleep(self.latency * (3 if fault == "slow" else 1))
        if fault == "server_error":
            return await _reply(send, _error("internal error", "server_error"), 500)
        if fault == "cut":  # uvicorn closes the connection of a body that stays shorter than announced
            return await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        self.counts["ok"] += 1
        return await _reply(send, self.completion(json.loads(body), fault))

    def completion(self, body: dict[str, Any], fault: str | None) -> dict[str, Any]:
        """Return the answer to a request, cut short or filtered where the fault says so."""
        parts = [part for message in body["messages"] if isinstance(message["content"], list) for part in message["content"]]
        urls = "".join(part["image_url"]["url"] for part in parts if part["type"] == "image_url")
        digest = hashlib.sha256(urls.encode()).digest()
        self.images.add(digest)
        text, reason = json.dumps({"prediction": LABELS[digest[0] % len(LABELS)]}), "stop"
        if fault == "truncated":
            text, reason = text[:9], "length"
        elif fault == "content_filter":
            text, reason = "", "content_filter"
        message = {"role": "assistant", "content": text}
        return {
            "id": f"chatcmpl-{digest.hex()[:12]}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": body["model"],
            "system_fingerprint": "fp_stub",
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
            "usage": {"prompt_tokens": 300, "completion_tokens": 8, "total_tokens": 308},
        }


async def _body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _error(message: str, kind: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind}}


async def _reply(send: Send, content: dict[str, Any], status: int = 200, headers: list[tuple[bytes, bytes]] = []) -> None:  # noqa: B006 - never changed
    body = json.dumps(content).encode()
    sized = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": sized})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve until terminated."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds")
    parser.add_argument("--fault-rate", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-in-flight", type=int, default=0)
    given = parser.parse_args()
    stub = Stub(given.latency, given.fault_rate, given.seed, given.max_in_flight)
    uvicorn.run(stub, host="127.0.0.1", port=given.port, log_level="critical", access_log=False, lifespan="off")


if __name__ == "__main__":
    main()
