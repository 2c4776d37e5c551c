"""`eve app`: look at the published results in a browser."""

import os
import sys
from typing import Annotated

import typer

from eve_pipeline.errors import EveError
from eve_pipeline.settings import PROJECT, Settings
from eve_pipeline.terminal import explained
from eve_pipeline.vlms.endpoints import is_loopback

SHORTEST_TOKEN = 16
EXPLORER = PROJECT / "eve_pipeline" / "explorer"


@explained
def app(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8501,
    address: Annotated[str, typer.Option(help="Address to listen on; any but loopback needs a token.")] = "127.0.0.1",
    token: Annotated[str | None, typer.Option(help="What visitors have to know; better in EVE_APP_TOKEN or the keyring.")] = None,
) -> None:
    """Open the web app on the published results; it only reads, but for what is annotated, also while runs write."""
    settings = Settings()
    environment = os.environ | {"EVE_HOME": str(settings.home), "PYTHONSAFEPATH": "1"} | ({"EVE_APP_TOKEN": token} if token else {})
    known = token or (settings.app_token.get_secret_value() if settings.app_token else "")
    if not is_loopback(address) and len(known) < SHORTEST_TOKEN:
        raise EveError(
            f"Anybody who reaches {address} could {'guess the token' if known else 'read the results'}",
            f"Give a token of {SHORTEST_TOKEN} characters or more: EVE_APP_TOKEN in the environment or the keyring, or --token.",
        )
    command = [sys.executable, "-m", "streamlit", "run", str(EXPLORER / "app.py"), *options(port, address)]
    os.execve(sys.executable, command, environment)  # noqa: S606 - replaces this process, so that signals reach the server


def options(port: int, address: str) -> list[str]:
    """Return what Streamlit is told: where to listen, how to look, to send nothing to anybody and to watch no files."""
    values: dict[str, str] = {
        "server.port": str(port),
        "server.address": address,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
        "runner.magicEnabled": "false",
        "client.showErrorDetails": "type",
        "client.showErrorLinks": "false",
        "theme.base": str(EXPLORER / "theme.toml"),
    }
    hosts = ("localhost", "127.0.0.1", "::1") if is_loopback(address) else ()  # a page elsewhere must not reach it under a name of its own
    return [*(f"--{name}={value}" for name, value in values.items()), *(f"--server.allowedHosts={host}" for host in hosts)]
