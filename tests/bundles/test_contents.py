"""A frame that was written is read back as it was, in both formats."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.bundles.contents import from_bytes, to_bytes

SCHEMA = pl.Schema(
    {
        "text": pl.String(),
        "count": pl.Int64(),
        "score": pl.Float64(),
        "is_right": pl.Boolean(),
        "at": pl.Datetime("us", "UTC"),
        "labels": pl.List(pl.String()),
        "votes": pl.List(pl.Struct({"label": pl.String(), "share": pl.Float64()})),
    }
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=8)
SHARE = st.floats(allow_nan=False, allow_infinity=False)
VALUES = {
    "text": TEXT | st.sampled_from(["", '"', ",", "\n", "NULL", " x "]),
    "count": st.integers(-(2**63), 2**63 - 1),
    "score": SHARE,
    "is_right": st.booleans(),
    "at": st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    "labels": st.lists(TEXT, max_size=3),
    "votes": st.lists(st.fixed_dictionaries({"label": TEXT, "share": SHARE}), max_size=3),
}


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
@given(rows=st.lists(st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()}), max_size=5))
def test_what_was_written_is_read_back(file_format, rows):
    frame = pl.DataFrame(rows, SCHEMA)
    read = from_bytes(to_bytes(frame, file_format), file_format, SCHEMA)
    assert read.schema == SCHEMA
    assert read.rows() == frame.rows()


def test_a_value_of_another_type_is_an_error():
    with pytest.raises(pl.exceptions.PolarsError):
        from_bytes(b"count\nmany\n", "csv", pl.Schema({"count": pl.Int64()}))
