import polars as pl
import pytest

from eve_pipeline.hard_subset.selection import Selection
from eve_pipeline.hard_subset.shares import THRESHOLDS, balance, sweep_thresholds

SCORES = pl.DataFrame(
    {
        "label": ["awe", "awe", "fear", "fear", "fear"],
        "p_true": [0.2, 0.9, 0.4, 0.7, 0.8],
        "predicted": ["fear", "awe", "awe", "fear", "fear"],
    }
)


def test_balance_by_hand() -> None:
    selection = Selection(("a",), 4, {"awe": 6, "fear": 2}, {"awe": 3, "fear": 1}, 0)
    table = balance({"awe": 10, "fear": 30, "joy": 10}, {"awe": 10, "fear": 5}, selection)
    assert table.rows() == [
        ("awe", 10, 10, 6, 3, 0.6, 0.2, 0.75, 0.75),
        ("fear", 30, 5, 2, 1, 0.4, 0.6, 0.25, 0.25),
        ("joy", 10, 0, 0, 0, None, 0.2, 0.0, 0.0),
    ]


def test_thresholds_by_hand() -> None:
    assert sweep_thresholds(SCORES, [0.3, 0.8]).rows() == [
        (0.3, "all", 5, 1, 0.2, 0.0),
        (0.3, "awe", 2, 1, 0.5, 0.0),
        (0.3, "fear", 3, 0, 0.0, None),
        (0.8, "all", 5, 3, 0.6, pytest.approx(1 / 3)),
        (0.8, "awe", 2, 1, 0.5, 0.0),
        (0.8, "fear", 3, 2, pytest.approx(2 / 3), 0.5),
    ]


def test_thresholds_go_up_in_steps_of_a_twentieth() -> None:
    assert (THRESHOLDS[0], THRESHOLDS[1], THRESHOLDS[-1], len(THRESHOLDS)) == (0.3, 0.35, 0.95, 14)
    assert sweep_thresholds(SCORES).height == 14 * 3
