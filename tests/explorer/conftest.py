"""A home with the demo's results, editions of them, the app as a script, and the app as a server with a real browser on it."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import socket

import duckdb
import httpx2
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from streamlit.testing.v1 import AppTest
from ulid import ULID

from eve_pipeline.settings import PROJECT
from tests.shell import EVE

APP = PROJECT / "eve_pipeline" / "explorer" / "app.py"
CHROMIUM = "/usr/bin/chromium"
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]"
Edition = Callable[..., None]
View = Callable[..., AppTest]
Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def home(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of its own with the demo's database and pictures."""
    folder = tmp_path_factory.mktemp("explorer") / "home"
    folder.mkdir()
    (folder / "datasets").symlink_to(demo_home / "datasets")
    (folder / "warehouse").symlink_to(demo_home / "warehouse")
    switch_to(folder, (demo_home / "eve.duckdb").resolve())
    return folder


def switch_to(home: Path, database: Path, *statements: str) -> None:
    """Publish a copy of a database, changed by some statements, as the publisher does."""
    folder = home / "published" / str(ULID())
    folder.mkdir(parents=True)
    shutil.copy(database, folder / "eve.duckdb")
    with duckdb.connect(folder / "eve.duckdb") as connection:
        for statement in statements:
            connection.execute(statement)
    link = home / f".{folder.name}"
    link.symlink_to(folder / "eve.duckdb")
    link.replace(home / "eve.duckdb")


@pytest.fixture
def edition(home: Path, demo_home: Path) -> Iterator[Edition]:
    """A function that publishes the demo's results with some statements' changes; afterwards the demo's are published again."""
    pristine = (demo_home / "eve.duckdb").resolve()
    yield lambda *statements: switch_to(home, pristine, *statements)
    switch_to(home, pristine)


@pytest.fixture
def view(home: Path, monkeypatch: pytest.MonkeyPatch) -> View:
    """A function that runs a page as a script with parameters in its address; an exception in it fails the test."""
    monkeypatch.setenv("EVE_HOME", str(home))

    def open_page(name: str, /, **parameters: str) -> AppTest:
        page = AppTest.from_file(APP, default_timeout=120)
        page.query_params.update(parameters)
        page.run()
        if name != "leaderboard":
            page.switch_page(f"views/{name}.py")
            page.query_params.update(parameters)
            page.run()
        assert not page.exception
        return page

    return open_page


@pytest.fixture(scope="session")
def server(home: Path) -> Iterator[str]:
    """The address of the app on that home."""
    with serving(home) as url:
        yield url


class serving:  # noqa: N801 - reads as a context manager
    """Run `eve app` on a free port; the address is its value, what it printed is in `log` afterwards."""

    def __init__(self, home: Path, *options: str, **environment: str) -> None:
        with socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log_file = home / f"app-{self.port}.log"
        self.command = [str(EVE), "app", "--port", str(self.port), *options]
        self.environment = os.environ | {"EVE_HOME": str(home)} | environment

    def __enter__(self) -> str:
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen(self.command, env=self.environment, stdout=log, stderr=log)
        url, deadline = f"http://127.0.0.1:{self.port}", time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if httpx2.get(f"{url}/_stcore/health").status_code == httpx2.codes.OK:
                    return url
            except httpx2.TransportError:
                time.sleep(0.2)
        raise AssertionError(self.log)

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    @property
    def log(self) -> str:
        """What the server printed."""
        return self.log_file.read_text()


@pytest.fixture(scope="package")  # while it is open, nothing else in this thread can run an event loop
def browser() -> Iterator[Browser]:
    """Debian's Chromium without a window."""
    if not Path(CHROMIUM).exists():
        pytest.fail(f"The tests of the web app need {CHROMIUM}: apt-get install chromium (make test does it where it is root).")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Browser, server: str) -> Iterator[Visit]:
    """A function that opens an address of the app; a request to any other server, or a dialog, fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    strangers: list[str] = []

    def go(path: str, base: str = server) -> Page:
        page = context.new_page()
        page.on("request", lambda request: strangers.append(request.url) if is_strange(request.url, base) else None)
        page.on("dialog", lambda dialog: strangers.append(dialog.message))
        page.goto(f"{base}/{path}")
        page.wait_for_selector("h1", timeout=60_000)
        page.wait_for_selector(SETTLED, timeout=60_000)
        return page

    yield go
    context.close()
    assert strangers == []


def is_strange(url: str, base: str) -> bool:
    """Whether an address is neither the app's nor within the page."""
    return not url.startswith((base, base.replace("http", "ws"), "data:", "blob:"))
