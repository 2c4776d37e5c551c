import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.answers.matching import Match, match_label

MIKELS = ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness")
ABSTRACT = ("amusement", "anger", "awe", "content", "disgust", "excitement", "fear", "sad")
EMOTION6 = ("anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral")


@pytest.mark.parametrize(
    ("raw_label", "labels", "label"),
    [
        ("content", MIKELS, "contentment"),
        ("contentment", ABSTRACT, "content"),
        ("sadness", ABSTRACT, "sad"),
        ("sad", MIKELS, "sadness"),
        ("joyful", EMOTION6, "joy"),
        ("Surprised!", EMOTION6, "surprise"),
        ("neutral emotion", EMOTION6, "neutral"),
        ("joy", MIKELS, None),
        ("sad", ("amusement",), None),
        ("Tender", ("tender", "bleak"), "tender"),
        ("the tender feeling", ("tender", "bleak"), "tender"),
    ],
)
def test_label_of_the_list_that_is_meant(raw_label: str, labels: tuple[str, ...], label: str | None) -> None:
    assert match_label(raw_label, labels) == (label and Match(label, "normalised"))


def test_a_form_that_two_labels_share_is_no_label_unless_it_is_one_of_them() -> None:
    labels = ("surprise", "surprised")
    assert match_label("Surprised", labels) == Match("surprised", "normalised")
    assert match_label("surprising", labels) is None


@given(st.sampled_from(MIKELS), st.sampled_from(MIKELS), st.sampled_from([", ", " or ", " and ", "/", "; ", " not ", " rather than "]))
def test_two_labels_are_never_one(first: str, second: str, between: str) -> None:
    assert match_label(f"{first}{between}{second}", MIKELS) is None


@given(st.sampled_from(MIKELS), st.sampled_from(["not {}", "no {}", "{} is absent", "anything but {}", "un{}", "not a feeling of {}"]))
def test_a_negated_label_is_no_label(label: str, pattern: str) -> None:
    assert match_label(pattern.format(label), MIKELS) is None


@given(st.text())
def test_only_labels_of_the_list_come_out(raw_label: str) -> None:
    match = match_label(raw_label, MIKELS)
    assert match is None or match.label in MIKELS
