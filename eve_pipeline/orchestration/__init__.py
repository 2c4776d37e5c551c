"""Dagster only: what exists, how it is partitioned and launched. Asset logic lives in the packages that these modules call."""

import warnings

import dagster as dg

for _category in (dg.BetaWarning, dg.PreviewWarning):  # partitioned checks and backfill policies; the pins keep their API
    warnings.filterwarnings("ignore", category=_category)
