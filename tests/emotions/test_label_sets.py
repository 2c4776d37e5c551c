import pytest

from eve_pipeline.emotions.label_sets import label_sets, resolve_labels
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings

SETTINGS = Settings()


def test_shipped_lists_in_the_papers_order() -> None:
    assert label_sets(SETTINGS) == {
        "mikels": ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness"),
        "abstract": ("amusement", "anger", "awe", "content", "disgust", "excitement", "fear", "sad"),
        "emotion6": ("anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral"),
        "ekman": ("anger", "disgust", "fear", "joy", "sadness", "surprise"),
    }


def test_labels_by_name_or_spelt_out() -> None:
    assert resolve_labels("emotion6", SETTINGS)[-1] == "neutral"
    assert resolve_labels(["bleak", "tender"], SETTINGS) == ("bleak", "tender")


def test_unknown_list_names_the_known_ones() -> None:
    with pytest.raises(EveError, match=r"no label list 'plutchik'\nKnown: mikels, abstract, emotion6, ekman"):
        resolve_labels("plutchik", SETTINGS)
