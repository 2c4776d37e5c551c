"""What a model says of its confidence, and what its tokens say."""

import json
import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.answers.confidence import stated_confidence, token_confidence
from eve_pipeline.answers.reading import read_answers
from tests.answers.test_reading import EMBEDDER, config, request, response, rows

LABELS = ("amusement", "anger", "awe", "fear", "sadness")


def tokens(*spoken: tuple[str, float, dict[str, float]]) -> str:
    """Log probabilities as they are stored, of tokens with their probability and those of their alternatives."""
    logs = [
        {"token": token, "logprob": math.log(p), "top": {text: math.log(share) for text, share in top.items()}} for token, p, top in spoken
    ]
    return json.dumps(logs)


FEAR = tokens(
    ('{"', 1.0, {}), ("prediction", 1.0, {}), ('": "', 0.9, {}),
    ("fe", 0.5, {"fe": 0.5, "sad": 0.25, "a": 0.1, " Aw": 0.05, "the": 0.1}),
    ("ar", 0.8, {}), ('"}', 1.0, {}),
)  # fmt: skip


def test_confidence_is_that_of_the_answers_tokens_alone():
    found = token_confidence(FEAR, "fear", "prediction", LABELS)
    assert found is not None
    assert found.confidence == pytest.approx(0.5 * 0.8)


def test_labels_have_the_probability_of_the_tokens_that_begin_only_them():
    """ "a" begins three labels and "the" none: their mass is nobody's."""
    found = token_confidence(FEAR, "fear", "prediction", LABELS)
    assert found is not None
    assert found.labels == pytest.approx({"fear": 0.5, "sadness": 0.25, "awe": 0.05})


def test_where_the_answer_begins_like_others_the_labels_have_no_probabilities():
    spoken = tokens(('"prediction": "', 1.0, {}), ("a", 0.6, {"a": 0.6, "fear": 0.4}), ("nger", 0.9, {}), ('"', 1.0, {}))
    found = token_confidence(spoken, "anger", "prediction", LABELS)
    assert found is not None
    assert found.confidence == pytest.approx(0.54)
    assert found.labels == {}


def test_the_answer_is_looked_for_behind_its_key():
    spoken = tokens(("fear not. ", 0.1, {}), ('"Prediction": ', 1.0, {}), ('"Fear"', 0.7, {}))
    found = token_confidence(spoken, "fear", "prediction", LABELS)
    assert found is not None
    assert found.confidence == pytest.approx(0.7)


def test_an_answer_that_is_not_in_the_tokens_has_no_confidence():
    assert token_confidence(FEAR, "awe", "prediction", LABELS) is None
    assert token_confidence("[]", "awe", "prediction", LABELS) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [("0.8", 0.8), ('"0.8"', 0.8), ("80", 0.8), ('"80 %"', 0.8), ("1", 1.0), ('"1%"', 0.01), ("0", 0.0), (".5", 0.5), ("130", None),
     ('"high"', None), ('"0.8 or 0.9"', None), ("null", None), ("-0.2", None)],
)  # fmt: skip
def test_stated_confidence(value, expected):
    reply = f'{{"prediction": "fear", "sure": {value}}}'
    assert stated_confidence(reply, "sure", "prediction") == (pytest.approx(expected) if expected is not None else None)


@given(st.text(), st.text())
def test_nothing_raises_and_confidence_is_a_share(reply, value):
    for text in (reply, json.dumps({"prediction": "fear", "sure": value})):
        sure = stated_confidence(text, "sure", "prediction")
        assert sure is None or 0 <= sure <= 1


@given(st.lists(st.tuples(st.text(max_size=4), st.floats(0.01, 1), st.dictionaries(st.text(max_size=3), st.floats(0.01, 0.2), max_size=5))))
def test_token_confidence_is_a_probability(spoken):
    found = token_confidence(tokens(*spoken), "fear", "prediction", LABELS)
    assert found is None or 0 <= found.confidence <= 1


def test_both_are_read_into_answers():
    replies = rows(
        "responses",
        response("k0", '{"prediction": "fear", "sure": "70%"}') | {"logprobs": FEAR},
        response("k1", '{"prediction": "awe"}'),
        response("k2", None, "error"),
    )
    requests = rows("requests", *(request(f"i{number}", f"k{number}") for number in range(3)))
    answers = read_answers(requests, replies, rows("configs", config(labels=list(LABELS), confidence_key="sure")), EMBEDDER)
    first, *others = answers.sort("image_id").select("stated_confidence", "token_confidence", "label_probabilities").rows()
    assert first[:2] == (pytest.approx(0.7), pytest.approx(0.4))
    assert {one["label"]: one["share"] for one in first[2]} == pytest.approx({"fear": 0.5, "sadness": 0.25, "awe": 0.05})
    assert others == [(None, None, None)] * 2
    assert isinstance(answers.schema["label_probabilities"], pl.List)
