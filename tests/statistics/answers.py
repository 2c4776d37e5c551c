"""Small relations of answers and images, as the published database holds them."""

from collections.abc import Iterable

import duckdb
import polars as pl

ANSWER = ["model", "prompt", "image_id", "status", "label"]
SCHEMES = pl.DataFrame(
    [
        {"scheme": "s", "emotion": "awe", "sentiment": "positive", "arousal": "high"},
        {"scheme": "s", "emotion": "Joy", "sentiment": "positive", "arousal": "high"},
        {"scheme": "s", "emotion": "fear", "sentiment": "negative", "arousal": "high"},
        {"scheme": "s", "emotion": "sadness", "sentiment": "negative", "arousal": "low"},
        {"scheme": "s", "emotion": "neutral", "sentiment": "none", "arousal": "low"},
    ]
)


def images(labels: dict[str, str | None], **sentiments: str) -> pl.DataFrame:
    """Images by their labels; a sentiment is that of an image's rating."""
    rows = [
        {"dataset": "d", "image_id": name, "label": label, "rating_sentiment": sentiments.get(name), "rating_arousal": None}
        for name, label in labels.items()
    ]
    return pl.DataFrame(rows, dict.fromkeys(["dataset", "image_id", "label", "rating_sentiment", "rating_arousal"], pl.String))


def answers(rows: Iterable[tuple[str, str, str, str | None]]) -> pl.DataFrame:
    """Answers as (model, prompt, image, label); a label that is a status stands for it."""
    said = [
        (model, prompt, name, label if label in {"refusal", "error"} else "ok", None if label in {"refusal", "error"} else label)
        for model, prompt, name, label in rows
    ]
    return pl.DataFrame(said, dict.fromkeys(ANSWER, pl.String), orient="row").with_columns(dataset=pl.lit("d"), subset=pl.lit("d"))


def relation(frame: pl.DataFrame) -> duckdb.DuckDBPyRelation:
    """The frame as DuckDB has it."""
    return duckdb.connect().from_arrow(frame.to_arrow())
