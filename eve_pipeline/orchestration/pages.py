"""Serve a folder of HTML pages on loopback while the process that started this one lives: browsers follow no link from the UI to a file."""

import os
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


def serve(port: int, folder: str) -> None:
    """Serve until the parent is gone."""
    parent, server = os.getppid(), ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while os.getppid() == parent:
        time.sleep(1)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
