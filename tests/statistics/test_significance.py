"""McNemar's test and Holm's correction equal statsmodels'."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from eve_pipeline.statistics.significance import holm, mcnemar_exact


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_equals_statsmodels(only_first, only_second):
    expected = mcnemar([[7, only_first], [only_second, 9]], exact=True).pvalue if only_first + only_second else 1
    assert mcnemar_exact(only_first, only_second) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_mcnemar_by_hand():
    """Of six discordant pairs one is on the first side: 2 * (1 + 6) / 64."""
    assert mcnemar_exact(1, 5) == pytest.approx(14 / 64)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_equals_statsmodels(p_values):
    assert holm(np.array(p_values)) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_holm_by_hand_leaves_out_what_is_unknown():
    """Of three known tests the smallest counts three times, the next twice; the last is no smaller than the one before."""
    assert holm(np.array([0.03, np.nan, 0.01, 0.02])) == pytest.approx([0.04, np.nan, 0.03, 0.04], nan_ok=True)
    assert holm(np.array([])).size == 0
