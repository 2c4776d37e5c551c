from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from eve_pipeline.cli import app
from eve_pipeline.settings import Settings


@pytest.fixture
def prune(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """A function that runs `eve prune`, which must end well, and returns what it printed."""
    monkeypatch.setenv("EVE_HOME", str(settings.home))
    monkeypatch.setenv("COLUMNS", "200")

    def prune(*options: str) -> str:
        done = CliRunner().invoke(app, ["prune", *options])
        assert done.exit_code == 0, done.output
        return done.output

    return prune
