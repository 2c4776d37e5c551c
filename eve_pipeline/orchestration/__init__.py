"""Dagster only: what exists, how it is partitioned and launched. Asset logic lives in the packages that these modules call."""
