"""Tables on standard output."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
import typer

from eve_pipeline.terminal import explained, show

NOBODY = 65534


@contextmanager
def nobody() -> Iterator[None]:
    """Give up root's right to everything, where there is one."""
    root = os.geteuid()
    if root == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(root)


def test_what_may_not_be_read_is_two_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir("/")
    file = tmp_path / "mine"
    file.touch(mode=0)

    @explained
    def read() -> None:
        with nobody():
            file.read_bytes()

    with pytest.raises(typer.Exit):
        read()
    assert capsys.readouterr().err.splitlines() == [
        f"Error: {file}: Permission denied",
        "Give yourself the right to it, or run as the user whose EVE_HOME it is.",
    ]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_nothing_of_a_value_is_cut_off(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    values = {
        "table": "answers",
        "partition": "demo-llava-small_x_sample.simple",
        "check": "readable",
        "found": "/warehouse/answers/demo-llava-small/sample.simple.parquet is not a readable file",
    }
    show(pl.DataFrame([values]))
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= width
    assert Counter("".join(shown.replace("─", "").split())) == Counter("".join("".join([*values, *values.values()]).split()))
