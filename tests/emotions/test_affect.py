import polars as pl
import pytest

from eve_pipeline.emotions.affect import affect_schemes, sentiments
from eve_pipeline.emotions.label_sets import label_sets
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings

SETTINGS = Settings()


def test_circumplex_is_the_default() -> None:
    """Design, section 4: joy positive; surprise and neutral none; EmoSet's four positive and four negative emotions."""
    assert sentiments(SETTINGS) == {
        **dict.fromkeys(["amusement", "awe", "contentment", "content", "excitement", "joy"], "positive"),
        **dict.fromkeys(["anger", "disgust", "fear", "sadness", "sad"], "negative"),
        **dict.fromkeys(["surprise", "neutral"], "none"),
    }


def test_norms_follow_their_numbers() -> None:
    """Valence above 5 is positive, below negative; only neutral, whatever its valence, has no sentiment."""
    norms = affect_schemes(SETTINGS).filter(pl.col("scheme") == "norms", pl.col("emotion") != "neutral")
    expected = norms.select(pl.when(pl.col("valence") > 5).then(pl.lit("positive")).otherwise(pl.lit("negative"))).to_series()
    assert norms["sentiment"].to_list() == expected.to_list()
    assert sentiments(SETTINGS, "norms")["neutral"] == "none"


@pytest.mark.parametrize(
    ("scheme", "low"),
    [
        ("circumplex", {"contentment", "content", "sadness", "sad", "neutral"}),
        ("norms", {"amusement", "awe", "contentment", "content", "sadness", "sad", "neutral"}),
    ],
)
def test_emotions_of_low_arousal(scheme: str, low: set[str]) -> None:
    rows = affect_schemes(SETTINGS).filter(scheme=scheme)
    assert set(rows.filter(arousal="low")["emotion"]) == low
    assert set(rows["arousal"]) == {"low", "high"}


def test_every_label_of_every_list_is_in_every_scheme() -> None:
    emotions = {label for labels in label_sets(SETTINGS).values() for label in labels}
    for _, rows in affect_schemes(SETTINGS).group_by("scheme"):
        assert set(rows["emotion"]) == emotions
        assert rows.height == len(emotions)


def test_unknown_scheme() -> None:
    with pytest.raises(EveError, match="no affect scheme 'wheel'"):
        sentiments(SETTINGS, "wheel")
