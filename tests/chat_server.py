"""A real OpenAI-compatible chat server for tests: equal images get equal answers, faults can be asked for."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

LABELS = ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness")


class Server(ThreadingHTTPServer):
    """Takes many connections at once."""

    request_queue_size = 128
    daemon_threads = True


class ChatServer:
    """Listens on a free loopback port; `seen` holds (image digest, body) of each request, `headers` its headers.

    `cap` requests at once are answered, those beyond get a 429; `peak` is the largest number under way, `arrived_at` when each came.
    """

    def __init__(self) -> None:
        self.latency_s = 0.0
        self.fault: Callable[[int], int] = lambda _: 0  # HTTP status by request number, 0 for none
        self.finish_reason = "stop"
        self.fingerprint = "fp"
        self.raw: dict[int, bytes] = {}  # body by request number, instead of a completion
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.choice: Callable[[bytes, str], str] = lambda image, _: self.label(image)  # the emotion in the reply by image and prompt
        self.told: Callable[[int], dict[str, str]] = lambda _: {}  # headers of the reply by request number
        self.cut: Callable[[int], bool] = lambda _: False  # whether the connection ends in the middle of the body, by request number
        self.cap = self.n_refused = self.under_way = self.peak = 0
        self.arrived_at: list[float] = []
        self.here = threading.local()
        self.lock = threading.Lock()
        self.server = Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def label(self, image: bytes) -> str:
        """The emotion that the server sees in an image's bytes."""
        return LABELS[hashlib.sha256(image).digest()[0] % len(LABELS)]

    def answer(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return status and body of the reply."""
        parts = body["messages"][0]["content"]
        url = next(part["image_url"]["url"] for part in parts if part["type"] == "image_url")
        image = base64.b64decode(url.partition(",")[2])
        with self.lock:
            self.seen.append((hashlib.sha256(image).hexdigest(), body))
            number = self.here.number = len(self.seen)
            is_too_much = 0 < self.cap < self.under_way
            self.n_refused += is_too_much
        if is_too_much:
            return 429, {"error": {"message": "too many requests at once", "type": "rate_limit_error"}}
        time.sleep(self.latency_s)
        if status := self.fault(number):
            return status, {"error": {"message": f"fault {status}", "type": "fault"}}
        text = next(part["text"] for part in parts if part["type"] == "text")
        message = {"role": "assistant", "content": json.dumps({"prediction": self.choice(image, text)})}
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        usage = {"prompt_tokens": 100, "completion_tokens": 8, "total_tokens": 108}
        return 200, {
            "id": "1", "object": "chat.completion", "created": 0, "model": "stub-served", "choices": [choice],
            "usage": usage, "system_fingerprint": self.fingerprint,
        }  # fmt: skip

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                sent = self.rfile.read(length)
                if len(sent) < length:  # the client went away
                    self.close_connection = True
                    return
                body = json.loads(sent)
                with server.lock:
                    server.headers.append({name.lower(): value for name, value in self.headers.items()})
                    server.arrived_at.append(time.monotonic())
                    server.under_way += 1
                    server.peak = max(server.peak, server.under_way)
                status, reply = server.answer(body)
                number = server.here.number
                content = server.raw.get(number, json.dumps(reply).encode())
                self.send_response(status)
                for name, value in server.told(number).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with server.lock:
                    server.under_way -= 1
                with suppress(ConnectionError):  # the client was killed
                    self.wfile.write(content[: len(content) // 2] if server.cut(number) else content)
                self.close_connection = self.close_connection or server.cut(number)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
