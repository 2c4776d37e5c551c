"""Secrets: from the environment, else from a keyring file that nobody else can read or commit."""

from pathlib import Path

import pytest

from eve_pipeline.errors import EveError
from eve_pipeline.settings import PROJECT, Settings


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "keys.env"
    file.write_text("# keys\nMY_KEY=sk-$HOME-${HOME}\nexport QUOTED='sk two'\nEMPTY=\n")
    file.chmod(0o600)
    monkeypatch.setenv("EVE_KEYRING", str(file))
    return file


def secret(variable: str) -> str | None:
    found = Settings().secret(variable)
    return found and found.get_secret_value()


@pytest.mark.usefixtures("keyring")
def test_a_key_is_read_from_the_keyring_word_for_word():
    assert secret("MY_KEY") == "sk-$HOME-${HOME}"
    assert secret("QUOTED") == "sk two"
    assert secret("EMPTY") is None
    assert secret("ABSENT") is None


@pytest.mark.usefixtures("keyring")
def test_the_environment_comes_first_and_is_not_changed(monkeypatch: pytest.MonkeyPatch):
    import os

    monkeypatch.setenv("MY_KEY", "sk-environment")
    assert secret("MY_KEY") == "sk-environment"
    assert secret("QUOTED") == "sk two"
    assert "QUOTED" not in os.environ


def test_without_a_keyring_there_is_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EVE_KEYRING", str(tmp_path / "absent.env"))
    assert secret("MY_KEY") is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_a_keyring_that_others_can_read_is_refused_with_the_command_that_mends_it(keyring: Path, mode: int):
    keyring.chmod(mode)
    with pytest.raises(EveError, match=f"chmod 600 {keyring}"):
        secret("MY_KEY")


def test_a_keyring_in_a_work_tree_is_refused(keyring: Path):
    (keyring.parent / ".git").mkdir()
    with pytest.raises(EveError, match="inside a repository"):
        secret("MY_KEY")


def test_a_link_into_the_repository_is_refused(keyring: Path, monkeypatch: pytest.MonkeyPatch):
    link = keyring.parent / "link.env"
    link.symlink_to(PROJECT / "pyproject.toml")
    monkeypatch.setenv("EVE_KEYRING", str(link))
    with pytest.raises(EveError, match="inside a repository"):
        secret("MY_KEY")


@pytest.mark.usefixtures("keyring")
def test_settings_do_not_show_a_secret():
    assert "sk-" not in f"{Settings()!r}{Settings().secret('MY_KEY')!r}"
