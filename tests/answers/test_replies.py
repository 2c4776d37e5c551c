from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.answers.extraction import extract
from eve_pipeline.answers.reading import Asked, Reading, read_reply

LABELS = ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness")
ASKED = Asked("prediction", "explanation", LABELS)
CASES = [case for group in yaml.safe_load(Path(__file__).with_name("replies.yaml").read_text(encoding="utf-8")).values() for case in group]
PIECES = st.sampled_from(
    ['{"prediction": ', '"fear"', "}", "{", "[", "]", '"', "'", ",", ":", "```", "\\", "<think>", "explanation", "\n", "not "]
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["reply"][:60] or "empty")
def test_reply_gets_its_status_and_label(case: dict[str, str]) -> None:
    reading = read_reply(case["reply"], ASKED)
    assert (reading.status, reading.label) == (case["status"], case.get("label"))


def test_table_is_large_and_has_every_status() -> None:
    assert len(CASES) >= 60
    assert {case["status"] for case in CASES} == {"ok", "out_of_vocabulary", "unparseable", "refusal"}


def test_raw_label_and_explanation_are_kept_as_written() -> None:
    assert read_reply('{"Prediction": "Joy!", "Explanation": " It is bright. "}', ASKED) == Reading(
        "out_of_vocabulary", "Joy!", explanation="It is bright."
    )


def test_exact_and_normalised_are_told_apart() -> None:
    assert read_reply('{"prediction": "fear"}', ASKED).match == "exact"
    assert read_reply('{"prediction": "Fear"}', ASKED).match == "normalised"


@pytest.mark.parametrize("key", ["Step 1", "step_1", "STEP-1"])
def test_keys_of_several_words(key: str) -> None:
    assert extract(f'{{"{key}": "a cat", "Prediction": "awe"}}', "Prediction", "Step 1") == ("awe", "a cat")


@pytest.mark.parametrize("reply", ['{"a":' * 5000, "[" * 100_000, '{"prediction": "fear", ' * 500, "{" * 5000])
def test_deep_nesting_is_no_error(reply: str) -> None:
    assert read_reply(reply, ASKED).status in {"ok", "unparseable"}


def test_no_depth_of_nesting_is_an_error() -> None:
    for depth in range(0, 1100, 7):
        reply = f'{{"prediction": {"[" * depth}"fear"{"]" * depth}}}'
        assert read_reply(reply, ASKED).label == "fear" or depth > 300


@given(st.one_of(st.text(), st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=25).map("".join)))
def test_nothing_raises_and_only_ok_has_a_label(reply: str) -> None:
    reading = read_reply(reply, ASKED)
    assert reading.status in {"ok", "out_of_vocabulary", "unparseable", "refusal"}
    assert (reading.status == "ok") == (reading.label in LABELS) == (reading.match is not None)


@given(st.sampled_from(LABELS), st.text(), st.text())
def test_valid_json_is_read_whatever_the_explanation(label: str, explanation: str, other: str) -> None:
    import json

    reply = json.dumps({"explanation": explanation, "prediction": label, "other key": other})
    assert read_reply(reply, ASKED).label == label
