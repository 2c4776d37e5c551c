"""Tables on standard output."""

from collections import Counter

import polars as pl
import pytest

from eve_pipeline.terminal import show


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
