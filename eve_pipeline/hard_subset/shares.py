"""How many images of each label are hard and drawn, and how many would be hard under other thresholds."""

from collections.abc import Sequence

import polars as pl

from eve_pipeline.hard_subset.selection import Counts, Selection, hard_images

THRESHOLDS = tuple(step / 20 for step in range(6, 20))  # 0.30, 0.35 ... 0.95
ALL = "all"


def balance(labelled: Counts, scored: Counts, selection: Selection) -> pl.DataFrame:
    """Return a row a label, most hard first: its images, those scored, hard and drawn, and their shares.

    Columns `share` (of all labelled images), `share_of_hard` and `share_of_drawn` add up to 1; `hard_rate` is n_hard / n_scored,
    NULL where no image of the label has a score.
    """
    n_hard, n_drawn = selection.n_hard_by_label, selection.n_selected_by_label
    rows = [(label, n, scored.get(label, 0), n_hard.get(label, 0), n_drawn.get(label, 0)) for label, n in labelled.items()]
    schema = {"label": pl.String} | dict.fromkeys(["n", "n_scored", "n_hard", "n_drawn"], pl.Int64)
    counts = pl.DataFrame(rows, schema, orient="row")
    shares = {"share": "n", "share_of_hard": "n_hard", "share_of_drawn": "n_drawn"}
    return counts.with_columns(
        (pl.col("n_hard") / pl.when(pl.col("n_scored") > 0).then("n_scored")).alias("hard_rate"),
        *((pl.col(n) / pl.col(n).sum()).alias(name) for name, n in shares.items()),
    ).sort("hard_rate", "label", descending=[True, False], nulls_last=True)


def sweep_thresholds(scores: pl.DataFrame, thresholds: Sequence[float] = THRESHOLDS) -> pl.DataFrame:
    """Return how many images would be hard under each threshold, by label and for `all`.

    Args:
        scores: `classifier_scores` (p_true, predicted) joined to their images' label.
        thresholds: below which p_true is hard.

    Returns:
        threshold, label, n, n_hard, hard_rate, and accuracy: the classifier's on the images that are hard, NULL where none is.
    """
    judged = scores.select("label", "p_true", is_right=pl.col("predicted") == pl.col("label"))
    rows = pl.concat([judged, judged.with_columns(label=pl.lit(ALL))])
    totals = rows.group_by("label").agg(n=pl.len().cast(pl.Int64))
    swept = []
    for threshold in thresholds:
        hard = hard_images(rows, threshold).group_by("label").agg(n_hard=pl.len().cast(pl.Int64), accuracy=pl.col("is_right").mean())
        swept.append(totals.join(hard, on="label", how="left").with_columns(pl.col("n_hard").fill_null(0), threshold=pl.lit(threshold)))
    rates = pl.concat(swept).with_columns(hard_rate=pl.col("n_hard") / pl.col("n"))
    return rates.select("threshold", "label", "n", "n_hard", "hard_rate", "accuracy").sort("threshold", "label")
