"""Exact McNemar test, and Holm's correction for many tests."""

import numpy as np
from scipy.special import bdtr

from eve_pipeline.statistics.scores import Floats


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p-value of two discordant counts being equally likely; 1 where both are 0.

    Source: McNemar (1947), Note on the sampling error of the difference between correlated proportions, Psychometrika 12(2), 153-157.
    """
    return min(1.0, 2 * float(bdtr(min(only_first, only_second), only_first + only_second, 0.5)))


def holm(p_values: Floats) -> Floats:
    """Return p-values (tests,) adjusted for being one family; NaN stays and does not count as a test.

    Source: Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6(2), 65-70.
    """
    order = np.argsort(p_values)  # NaN comes last
    n = int(np.count_nonzero(~np.isnan(p_values)))
    adjusted = np.full(p_values.shape, np.nan)
    steps = p_values[order[:n]] * np.arange(n, 0, -1)
    adjusted[order[:n]] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted
