"""Whether probabilities can be taken at their word: of what is predicted with 0.8, are 80 % right?"""

import math
import sys
from typing import NamedTuple

import polars as pl

N_BINS = 15


class Calibration(NamedTuple):
    """Expected calibration error [0, 1], Brier score [0, 2] and mean negative log likelihood (nats); 0 is perfect in all three."""

    ece: float
    brier: float
    nll: float


def calibrate(scores: pl.DataFrame) -> Calibration:
    """Measure `classifier_scores` (p_true, p_predicted, predicted, probabilities) joined to their images' label.

    - `ece`: Guo et al. 2017, equation 3, of the predicted label's probability in 15 bins of equal width.
    - `brier`: Brier 1950, sum over all labels of (probability - 1 for the true label, 0 for the others) squared, mean over images.
    - `nll`: mean of -ln p_true; a p_true of 0 counts as the smallest positive number.
    """
    bins = reliability(scores)
    gaps = bins.select((pl.col("n") * (pl.col("accuracy") - pl.col("confidence")).abs()).sum() / pl.col("n").sum()).item()
    squares = pl.col("probabilities").list.eval(pl.element().struct.field("probability") ** 2).list.sum()
    # (p - 1)^2 of the true label in place of p^2: 1 - 2 p more than the plain sum of squares
    brier = scores.select((squares + 1 - 2 * pl.col("p_true")).mean()).item()
    nll = scores.select(-pl.col("p_true").clip(sys.float_info.min).log().mean()).item()
    return Calibration(gaps, brier, nll)


def reliability(scores: pl.DataFrame, n_bins: int = N_BINS) -> pl.DataFrame:
    """Return for each bin of p_predicted that has images: bin (from 0), n, confidence (mean p_predicted) and accuracy.

    Bins have equal width and hold their upper end, not their lower one.
    """
    number = (pl.col("p_predicted") * n_bins).ceil().cast(pl.Int64).clip(1, n_bins) - 1
    is_right = pl.col("predicted") == pl.col("label")
    bins = scores.group_by(number.alias("bin")).agg(
        n=pl.len().cast(pl.Int64), confidence=pl.col("p_predicted").mean(), accuracy=is_right.mean()
    )
    return bins.sort("bin")


def sure_and_right(scores: pl.DataFrame, threshold: float) -> tuple[int, float]:
    """Return how many images are predicted with at least `threshold`, and the share of them that is predicted right (NaN of none)."""
    sure = scores.filter(pl.col("p_predicted") >= threshold)
    return sure.height, sure.select((pl.col("predicted") == pl.col("label")).mean()).item() if sure.height else math.nan
