"""Whether a public dataset is all there: its counts against those that its authors or the benchmark's paper state."""

import polars as pl

from eve_pipeline.datasets.registry import Expected


def departures(expected: Expected | None, listed: pl.DataFrame) -> tuple[str, ...]:
    """Return what differs from the expected counts, in words; nothing where nothing is expected.

    Args:
        expected: the counts that the dataset's entry states.
        listed: label of every image that the reader listed, before any is verified.
    """
    if expected is None:
        return ()
    low, high = expected.images
    wanted = f"{low}" if low == high else f"{low} to {high}"
    total = () if low <= listed.height <= high else (f"{listed.height} images listed, {wanted} expected",)
    found = dict(listed["label"].value_counts().iter_rows())
    labels = (
        f"label {label}: {found.get(label, 0)} images listed, {n} expected"
        for label, n in expected.labels.items()
        if found.get(label, 0) != n
    )
    return (*total, *labels)
