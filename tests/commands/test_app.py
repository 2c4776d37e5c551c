"""How the web app is started."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from eve_pipeline.cli import app
from eve_pipeline.commands.app import is_loopback, options


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("127.8.9.1", True),
        ("192.0.2.1", False),
        ("::", False),
        ("eve.example", False),
    ],
)
def test_loopback_is_known(address: str, expected: bool):
    assert is_loopback(address) is expected


def test_another_address_needs_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EVE_HOME", str(tmp_path))
    monkeypatch.setenv("EVE_KEYRING", str(tmp_path / "none.env"))
    monkeypatch.delenv("EVE_APP_TOKEN", raising=False)
    refused = CliRunner().invoke(app, ["app", "--address", "0.0.0.0"])  # noqa: S104 - it is refused
    assert refused.exit_code == 1
    assert "EVE_APP_TOKEN" in refused.output
    guessable = CliRunner().invoke(app, ["app", "--address", "0.0.0.0", "--token", "x" * 15])  # noqa: S104 - it is refused
    assert guessable.exit_code == 1
    assert "could guess the token" in guessable.output
    assert "16 characters" in guessable.output


def test_streamlit_tells_nobody_and_looks_after_no_files():
    told = options(8501, "127.0.0.1")
    assert "--browser.gatherUsageStats=false" in told
    assert "--server.headless=true" in told
    assert "--server.allowedHosts=localhost" in told
    assert not [option for option in options(8501, "192.0.2.1") if "allowedHosts" in option]
