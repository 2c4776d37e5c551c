"""`eve datasets` on public datasets; the commands of the documentation run in test_docs."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from eve_pipeline.cli import app
from eve_pipeline.settings import Settings
from tests.datasets import layouts

Eve = Callable[..., Result]


@pytest.fixture
def eve(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Eve:
    monkeypatch.setenv("EVE_HOME", str(settings.home))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, ["datasets", *map(str, arguments)])


def test_the_hard_subset_is_asked_for(eve: Eve, tmp_path: Path):
    folder = layouts.emoset(tmp_path / "EmoSet-118K")
    assert "Added dataset 'emoset'. Ask" in eve("add", "emoset", "--path", folder).output
    assert "Added dataset 'emoset' with emoset-hard. Ask" in eve("add", "emoset", "--path", folder, "--hard-subset").output
    assert "emoset, emoset-hard" in eve().output


def test_counts_that_were_not_expected_are_told(eve: Eve, tmp_path: Path):
    eve("add", "artphoto", "--path", layouts.artphoto(tmp_path / "testImages_artphoto"))
    prepared = eve("prepare", "artphoto")
    assert "16 images listed, 806 expected" in prepared.output
    assert "label sadness: 2 images listed, 166 expected" in prepared.output
    assert prepared.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("fetch", "artphoto", "emoset"), "Ask for EmoSet-118K on the page of its authors"),
        (("fetch", "mine"), "There is no public dataset 'mine'"),
        (("add", "mine", "--path", "."), "Say how it is laid out with --reader"),
        (("add", "artphoto", "--path", ".", "--hard-subset"), "No hard subset of 'artphoto'"),
        (("add", "fi", "--path", "absent.zip"), "absent.zip; found"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_done(
    eve: Eve, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
):
    monkeypatch.chdir(tmp_path)
    done = eve(*arguments)
    assert done.exit_code == 1
    assert told in done.output
    assert not (settings.home / "datasets").exists()
