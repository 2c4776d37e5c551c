"""A server on loopback that answers every GET with JSON."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@contextmanager
def json_server(reply: Callable[[BaseHTTPRequestHandler], tuple[int, object]]) -> Iterator[str]:
    """Yield host and port of a server that answers with the status and the content that `reply` returns for a request."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content = reply(self)
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
