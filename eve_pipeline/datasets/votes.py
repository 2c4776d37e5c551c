"""From the votes of several people to one label or a tie."""

import polars as pl

from eve_pipeline.datasets.reading import require_within

MAX_VOTES = 1e9
# Shares that are printed or added up in floating point differ in the last digits though the counts behind them are equal.
_SAME = 1 - 1e-9


def tally(votes: pl.DataFrame) -> pl.DataFrame:
    """Return path, label, label_status, votes and n_votes of images.

    Args:
        votes: path, and one column per label that holds counts, shares or percentages; NULL is no vote.

    Returns:
        One row an image, in order: the label with most votes (NULL for a tie), label_status (single, tie; none without any vote),
        votes as a list of (label, share) that sums to 1, n_votes (NULL unless the table holds counts: whole
        numbers that do not add up to 100, or to 1, for each image that has any).

    Raises:
        EveError: a vote is negative or not a number.
    """
    labels = [name for name in votes.columns if name != "path"]
    require_within(votes, labels, 0, MAX_VOTES)
    votes = votes.with_columns(pl.col(labels).cast(pl.Float64).fill_null(0))
    total = pl.sum_horizontal(labels)
    is_whole = votes.select(pl.all_horizontal((pl.col(labels) == pl.col(labels).round()).all())).item()
    is_counted = is_whole and set(votes.select(total).to_series()) - {0} not in ({1}, {100})
    is_top = [pl.col(label) >= pl.max_horizontal(labels) * _SAME for label in labels]
    is_single = pl.sum_horizontal(is_top) == 1
    top = pl.coalesce(pl.when(is_one).then(pl.lit(label)) for is_one, label in zip(is_top, labels, strict=True))
    shares = pl.concat_list([pl.struct(pl.lit(label).alias("label"), (pl.col(label) / total).alias("share")) for label in labels])
    is_asked = total > 0
    return votes.select(
        "path",
        label=pl.when(is_asked & is_single).then(top),
        label_status=pl.when(~is_asked).then(pl.lit("none")).when(is_single).then(pl.lit("single")).otherwise(pl.lit("tie")),
        votes=pl.when(is_asked).then(shares),
        n_votes=pl.when(is_asked & is_counted).then(total.cast(pl.Int64)),
    )
