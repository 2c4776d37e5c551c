"""A chat server in a process of its own, and what it saw."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from socket import socket
from typing import NamedTuple

OWN = Path(__file__).with_name("chat_stub.py")
START_S = 30.0
EVERY_S = 0.1


class Window(NamedTuple):
    """What the server counted up to a moment, since the moment before."""

    at: float
    requests: int
    ok: int
    peak: int


class Seen:
    """What the server saw while somebody asked it."""

    def __init__(self, latency_s: float) -> None:
        self.latency_s = latency_s
        self.windows: list[Window] = []

    @property
    def requests(self) -> int:
        """Requests that reached the server."""
        return sum(window.requests for window in self.windows)

    @property
    def peak(self) -> int:
        """Most requests at once."""
        return max((window.peak for window in self.windows), default=0)

    @property
    def asking_s(self) -> float:
        """Seconds from the first request to the last reply, to a tenth."""
        busy = [window.at for window in self.windows if window.requests]
        return busy[-1] - busy[0] + self.latency_s if busy else 0.0

    def late_peaks(self) -> list[int]:
        """Most requests at once in each tenth of a second of the second half of the asking, without its end."""
        peaks = [window.peak for window in self.windows if window.requests]
        return sorted(peaks[len(peaks) // 2 : -2]) or [self.peak]


class Server(NamedTuple):
    """A server that listens."""

    port: int
    latency_s: float

    @property
    def url(self) -> str:
        """The base URL that clients take."""
        return f"http://127.0.0.1:{self.port}/v1"

    def get(self, path: str) -> dict[str, int]:
        """Return what it answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=START_S)
        try:
            connection.request("GET", path)
            content: dict[str, int] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return content

    @contextmanager
    def watched(self) -> Iterator[Seen]:
        """Read its counts every tenth of a second."""
        seen, is_over = Seen(self.latency_s), threading.Event()
        self.get("/stats")

        def read() -> None:
            counts = self.get("/stats")
            seen.windows.append(Window(time.perf_counter(), counts["requests"], counts["ok"], counts["peak_in_flight"]))

        def keep_reading() -> None:
            while not is_over.wait(EVERY_S):
                read()

        reader = threading.Thread(target=keep_reading)
        reader.start()
        try:
            yield seen
        finally:
            is_over.set()
            reader.join()
            read()


@contextmanager
def serving(script: Path, latency_s: float, fault_rate: float = 0, seed: int = 0, max_in_flight: int = 0) -> Iterator[Server]:
    """Start a server script on a free port and stop it at the end."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        server = Server(free.getsockname()[1], latency_s)
    options = {"--latency": latency_s, "--fault-rate": fault_rate, "--seed": seed, "--max-in-flight": max_in_flight}
    command = [sys.executable, str(script), str(server.port), *(str(part) for option in options.items() for part in option)]
    process = subprocess.Popen(command)
    try:
        _wait(server, process)
        yield server
    finally:
        process.terminate()
        process.wait()


def _wait(server: Server, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.perf_counter() + START_S
    while process.poll() is None and time.perf_counter() < deadline:
        try:
            server.get("/v1/models")
        except OSError:
            time.sleep(EVERY_S)
        else:
            return
    raise SystemExit(f"The server did not start: {' '.join(map(str, process.args))}")  # type: ignore[union-attr]
