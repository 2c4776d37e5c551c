"""What changed between a revision of a cell and the one after it, on the images that both answered."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import polars as pl

from eve_pipeline.statistics.bootstrap import DRAWS
from eve_pipeline.statistics.comparisons import SCHEMA as COMPARISONS
from eve_pipeline.statistics.comparisons import Pair, compare
from eve_pipeline.statistics.computing import Keep
from eve_pipeline.statistics.gradings import emotions
from eve_pipeline.statistics.sheets import Sheet, Subset

SEPARATOR = "@"
"""Stands between a prompt and the number of a revision; no key holds it."""


SCHEMA: Final = (
    dict.fromkeys(["model", "dataset", "subset", "prompt"], pl.String)
    | {"number": pl.Int64, "scoring": pl.String}
    | {
        name: COMPARISONS[name]
        for name in ("n_pairs", "value", "other_value", "delta", "ci_low", "ci_high", "p_value", "accuracy_delta", "mcnemar_p")
    }
)


def revision_effects(subset: Subset, keep: Keep, draws: int = DRAWS) -> pl.DataFrame:
    """Return each revision of a cell compared with the one before.

    Args:
        subset: sheets whose prompt is `<prompt>@<number>`, revisions in order of their numbers.
        keep: keeps what was computed once.
        draws: resampled sets of images, and swaps.

    Returns:
        columns as of `comparisons`, and number, that of the later revision: value and delta are its, other_value is the earlier's.
    """
    found = compare(subset, _pairs(subset), keep, draws)
    parts = pl.col("prompt").str.split(SEPARATOR).list
    return found.with_columns(prompt=parts.first(), number=parts.last().cast(pl.Int64)).select(*SCHEMA)


def _pairs(subset: Subset) -> Iterator[Pair]:
    labels = emotions(subset)
    for earlier, later in pairwise(sorted(subset.sheets, key=_place)):
        if _place(earlier)[:2] == _place(later)[:2]:
            yield Pair("revision", later, earlier, labels)


def _place(sheet: Sheet) -> tuple[str, str, int]:
    prompt, _, number = sheet.prompt.partition(SEPARATOR)
    return sheet.model, prompt, int(number)
