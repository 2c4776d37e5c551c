from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.emotions.label_sets import label_sets
from eve_pipeline.emotions.normalisation import FILE, LabelForms, base_form, is_emotion_word, plain
from eve_pipeline.registry import read_yaml
from eve_pipeline.settings import Settings

FORMS = LabelForms.model_validate(read_yaml(FILE))


@pytest.mark.parametrize(
    ("text", "words"),
    [(" Awe-struck! ", "awe struck"), ("FEAR", "fear"), ("snake_case", "snake case"), ("“sad”", "sad"), ("ﬁne", "fine"), ("...", "")],
)
def test_plain(text: str, words: str) -> None:
    assert plain(text) == words


@pytest.mark.parametrize(
    ("text", "emotion"),
    [
        ("amused", "amusement"),
        ("Angry", "anger"),
        ("awestruck", "awe"),
        ("content", "contentment"),
        ("Disgusting.", "disgust"),
        ("EXCITED", "excitement"),
        ("a feeling of fear", "fear"),
        ("joyous", "joy"),
        ("sad", "sadness"),
        ("surprised", "surprise"),
        ("neutral", "neutral"),
    ],
)
def test_base_form_of_known_forms(text: str, emotion: str) -> None:
    assert base_form(text) == emotion
    assert is_emotion_word(text)


@pytest.mark.parametrize("text", ["happy", "unamused", "discontent", "awful", "awesome", "fearless", "not fear", "", "emotion"])
def test_other_words_stay_other_words(text: str) -> None:
    assert not is_emotion_word(text)


def test_every_shipped_label_is_a_known_form_and_none_is_shared() -> None:
    for labels in label_sets(Settings()).values():
        assert all(is_emotion_word(label) for label in labels)
        assert len({base_form(label) for label in labels}) == len(labels)


def test_a_form_belongs_to_one_emotion_and_is_written_plainly() -> None:
    forms = [form for emotion, others in FORMS.forms.items() for form in (emotion, *others)]
    assert not [form for form, n in Counter(forms).items() if n > 1]
    assert all(form == plain(form) and not FORMS.fillers & set(form.split()) for form in forms)


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert plain(plain(text)) == plain(text)
    assert base_form(base_form(text)) == base_form(text)
