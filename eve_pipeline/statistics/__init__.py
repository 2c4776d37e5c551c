"""Intervals and tests: pure functions of counts and scores, each with its source."""
