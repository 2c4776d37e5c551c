import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.datasets.votes import tally
from eve_pipeline.errors import EveError

LABELS = ("fear", "awe", "anger")


def votes(*rows: tuple[float | None, ...]) -> pl.DataFrame:
    paths = [f"{index}.jpg" for index in range(len(rows))]
    columns = {label: [row[index] for row in rows] for index, label in enumerate(LABELS)}
    return pl.DataFrame({"path": paths, **columns}, schema_overrides=dict.fromkeys(LABELS, pl.Float64))


def shares(row: dict[str, object]) -> dict[str, float]:
    assert isinstance(row["votes"], list)
    return {vote["label"]: vote["share"] for vote in row["votes"]}


def test_plurality_decides_and_counts_become_shares():
    row = tally(votes((9, 4, 1))).row(0, named=True)
    assert (row["label"], row["label_status"], row["n_votes"]) == ("fear", "single", 14)
    assert shares(row) == {"fear": 9 / 14, "awe": 4 / 14, "anger": 1 / 14}


def test_a_tie_has_no_label_but_keeps_its_votes():
    row = tally(votes((5, 5, 4))).row(0, named=True)
    assert (row["label"], row["label_status"], row["n_votes"]) == (None, "tie", 14)
    assert shares(row)["awe"] == 5 / 14


def test_two_that_tie_below_the_highest_do_not_matter():
    assert tally(votes((6, 4, 4)))["label"].to_list() == ["fear"]


def test_shares_that_differ_in_the_last_digit_tie():
    assert tally(votes((0.1 + 0.2, 0.3, 0.4 - 0.1)))["label_status"].to_list() == ["tie"]


def test_shares_do_not_say_how_many_voted():
    row = tally(votes((0.6, 0.3, 0.1))).row(0, named=True)
    assert (row["label"], row["n_votes"]) == ("fear", None)


@pytest.mark.parametrize("rows", [[(60, 40, 0), (None, 0, 100)], [(1, 0, 0), (0, 0, 1)], [(60, 40, 0), (0, 0, 0)]])
def test_whole_percentages_and_shares_do_not_either(rows: list[tuple[float | None, ...]]):
    assert tally(votes(*rows))["n_votes"].to_list() == [None] * 2


def test_a_hundred_people_beside_ninety_nine_are_counts():
    assert tally(votes((60, 40, 0), (60, 39, 0)))["n_votes"].to_list() == [100, 99]


@pytest.mark.parametrize("nobody", [(0, 0, 0), (None, None, None), (0, None, 0)])
def test_nobody_voted(nobody: tuple[float | None, ...]):
    row = tally(votes(nobody)).row(0, named=True)
    assert row == {"path": "0.jpg", "label": None, "label_status": "none", "votes": None, "n_votes": None}


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_an_impossible_vote_names_the_image(value: float):
    with pytest.raises(EveError, match=r"awe of '1\.jpg' is"):
        tally(votes((1, 0, 0), (1, value, 0)))


@given(st.lists(st.tuples(*[st.integers(0, 30)] * 3), min_size=1, max_size=20))
def test_counts(rows: list[tuple[int, int, int]]):
    is_counted = {sum(row) for row in rows if any(row)} not in ({1}, {100})
    for row, found in zip(rows, tally(votes(*rows)).iter_rows(named=True), strict=True):
        top = [label for label, count in zip(LABELS, row, strict=True) if count == max(row)]
        assert found["n_votes"] == ((sum(row) or None) if is_counted else None)
        assert found["label"] == (top[0] if len(top) == 1 else None)
        assert found["label_status"] == ("none" if not sum(row) else "single" if len(top) == 1 else "tie")
        if sum(row):
            assert sum(shares(found).values()) == pytest.approx(1, abs=1e-12)
            assert [round(share * sum(row)) for share in shares(found).values()] == list(row)


@given(st.tuples(*[st.floats(0, 1e9)] * 3).filter(any))
def test_any_shares_sum_to_one(row: tuple[float, ...]):
    assert sum(shares(tally(votes(row)).row(0, named=True)).values()) == pytest.approx(1, abs=1e-9)
