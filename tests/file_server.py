"""A real HTTP server for one file, which can ignore ranges, cut its replies, state wrong lengths and fail."""

import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self


class FileServer:
    """Serves `content` at every path and notes in `seen` which range was asked for.

    Attributes:
        etag: names the version of the content; None for none.
        ranges: whether Range and If-Range are honoured.
        honours_if_range: whether a range is only served of the version that If-Range names.
        statuses: status codes with which the next requests fail.
        cut_after: numbers of bytes after which the connection of the next replies is cut.
        on_cut: called after each of these.
        stated: how much longer the content is said to be than it is.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.etag: str | None = '"1"'
        self.ranges = True
        self.honours_if_range = True
        self.statuses: list[int] = []
        self.cut_after: list[int] = []
        self.on_cut: Callable[[], None] = lambda: None
        self.stated = 0
        self.seen: list[str] = []

    def renew(self, content: bytes, etag: str) -> None:
        self.content, self.etag = content, etag

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(server: FileServer) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            server.seen.append(asked[0] if asked else "whole")
            is_range = asked and server.ranges and (self.headers.get("If-Range") == server.etag or not server.honours_if_range)
            first = int(asked[1]) if asked and is_range else 0
            body = server.content[first:]
            if server.statuses or (is_range and not body):
                self.start(server.statuses.pop(0) if server.statuses else 416, 0, {})
                return
            place = {"Content-Range": f"bytes {first}-{len(server.content) - 1}/{len(server.content)}"} if is_range else {}
            self.start(206 if is_range else 200, len(body) + server.stated, place)
            is_cut = bool(server.cut_after)
            self.wfile.write(body[: server.cut_after.pop(0)] if is_cut else body)
            if is_cut:
                server.on_cut()

        def start(self, status: int, length: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(length), "ETag": server.etag} | headers).items():
                if value is not None:
                    self.send_header(name, value)
            self.end_headers()

    return Handler
