"""Affect schemes: which sentiment and arousal each emotion has. The dbt seed is the single source of truth."""

from typing import Literal

import polars as pl

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings

Sentiment = Literal["positive", "negative", "none"]
DEFAULT_SCHEME = "circumplex"


def affect_schemes(settings: Settings) -> pl.DataFrame:
    """Return all schemes: scheme, emotion, sentiment (positive, negative, none), arousal (high, low), valence, source."""
    return pl.read_csv(settings.dbt_project / "seeds" / "affect_schemes.csv")


def sentiments(settings: Settings, scheme: str = DEFAULT_SCHEME) -> dict[str, Sentiment]:
    """Return the sentiment of each emotion under one scheme."""
    rows = affect_schemes(settings).filter(pl.col("scheme") == scheme)
    if rows.is_empty():
        raise EveError(f"There is no affect scheme {scheme!r}", "Add its rows to dbt_like_models/seeds/affect_schemes.csv.")
    return dict(rows.select("emotion", "sentiment").iter_rows())
