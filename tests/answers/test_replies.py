from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.answers.extraction import extract
from eve_pipeline.answers.reading import Asked, Reading, read_reply
from eve_pipeline.emotions.affect import sentiments
from eve_pipeline.emotions.label_sets import label_sets
from eve_pipeline.prompts.rendering import render
from eve_pipeline.prompts.variants import prompt_variants
from eve_pipeline.settings import Settings

LABELS = ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness")
ASKED = Asked("prediction", "explanation", LABELS)
CASES = [case for group in yaml.safe_load(Path(__file__).with_name("replies.yaml").read_text(encoding="utf-8")).values() for case in group]
PIECES = st.sampled_from(
    ['{"prediction": ', '"fear"', "}", "{", "[", "]", '"', "'", ",", ":", "```", "\\", "<think>", "explanation", "\n", "not "]
)


SETTINGS = Settings(home=Path("nowhere"))
PROMPTS = prompt_variants(SETTINGS)
LABEL_SETS = label_sets(SETTINGS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.get("reply", "echo")[:60] or "empty")
def test_reply_gets_its_status_and_label(case: dict[str, Any]) -> None:
    prompt, labels = PROMPTS[case.get("prompt", "explanation")], LABEL_SETS[case.get("labels", "mikels")]
    reply = case.get("reply", "") * case.get("times", 1)
    if "echo" in case:
        reply = next(iter(render(prompt, labels, sentiments(SETTINGS)))).text + case["echo"]
    reading = read_reply(reply, Asked(prompt.answer_key, prompt.explanation_key, labels))
    assert (reading.status, reading.label) == (case["status"], case.get("label"))


def test_table_is_large_and_has_every_status() -> None:
    assert len(CASES) >= 300
    assert {case["status"] for case in CASES} == {"ok", "out_of_vocabulary", "unparseable", "refusal"}


def test_raw_label_and_explanation_are_kept_as_written() -> None:
    assert read_reply('{"Prediction": "Joy!", "Explanation": " It is bright. "}', ASKED) == Reading(
        "out_of_vocabulary", "Joy!", explanation="It is bright."
    )


@pytest.mark.parametrize(
    ("reply", "explanation"),
    [
        ("Prediction: fear\n**Explanation:** It is dark.", "It is dark."),
        ("{'prediction': 'fear', 'explanation': 'The {dark} says \"prediction: no\".'}", 'The {dark} says "prediction: no".'),
        ('{\n"prediction": "fear",\n"explanation": null\n}', None),
        ("\\boxed{fear}", None),
    ],
)
def test_explanations(reply: str, explanation: str | None) -> None:
    assert (read_reply(reply, ASKED).label, read_reply(reply, ASKED).explanation) == ("fear", explanation)


def test_exact_and_normalised_are_told_apart() -> None:
    assert read_reply('{"prediction": "fear"}', ASKED).match == "exact"
    assert read_reply('{"prediction": "Fear"}', ASKED).match == "normalised"


@pytest.mark.parametrize("key", ["Step 1", "step_1", "STEP-1"])
def test_keys_of_several_words(key: str) -> None:
    assert extract(f'{{"{key}": "a cat", "Prediction": "awe"}}', "Prediction", "Step 1")[:2] == ("awe", "a cat")


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


WRAPPINGS = st.sampled_from(
    [
        "{}", "```json\n{}\n```", "```\n{}", "Sure! {}", "{}\n\nI hope this helps.", "<think>awe? fear?</think>{}", "[{}]", "\ufeff{}</s>",
        "The {{mood}} is dark. {}", "ASSISTANT: {}", "{}\n{}", '{{"result": {}}}', 'In the form {{"prediction": "<emotion>"}}: {}',
    ]
)  # fmt: skip
DAMAGES = st.sampled_from(
    [
        '{"prediction": "%s", "explanation": "It is dark."}',
        '{"Prediction":"%s"}',
        '{"prediction": "%s",}',
        '{"prediction": "%s"',
        "{'prediction': '%s', 'explanation': 'It is dark.'}",
        '{\n  "PREDICTION" : "%s"\n}',
        "{prediction: %s}",
        '{"explanation": "a "b" c", "prediction": "%s"}',
        "{“prediction”: “%s”}",
        '{"prediction": ["%s"]}',
        "{&quot;prediction&quot;: &quot;%s&quot;}",
        '\uff5b"prediction"\uff1a\u3000"%s"\uff5d',
    ]
)
NO_LABELS = st.sampled_from(
    [
        "not {0}",
        "no {0}",
        "{0} or {1}",
        "{0}, {1}",
        "{0}/{1}",
        "{0} and {1}",
        "{0}; {1}",
        "anything but {0}",
        "{0}? no",
        "¬{0}",
        "mostly {0}",
    ]
)


@given(st.sampled_from(LABELS), WRAPPINGS, DAMAGES)
def test_a_label_is_found_in_any_wrapping(label: str, wrapping: str, damaged: str) -> None:
    reply = damaged % label
    reading = read_reply(wrapping.format(reply, reply), ASKED)
    assert (reading.status, reading.label) == ("ok", label)


@given(st.permutations(LABELS), WRAPPINGS, DAMAGES, NO_LABELS)
def test_a_negated_or_double_label_is_none_in_any_wrapping(labels: list[str], wrapping: str, damaged: str, pattern: str) -> None:
    reply = damaged % pattern.format(*labels)
    assert read_reply(wrapping.format(reply, reply), ASKED).status == "out_of_vocabulary"


@given(st.permutations(LABELS), DAMAGES, DAMAGES, st.sampled_from(["\n", " or ", ", ", "\n```\n"]))
def test_a_reply_that_contradicts_itself_has_no_label(labels: list[str], first: str, second: str, between: str) -> None:
    assert read_reply(first % labels[0] + between + second % labels[1], ASKED).status != "ok"


@given(st.text(st.characters(), max_size=200), DAMAGES)
def test_lone_surrogates_and_other_characters_are_no_error(text: str, damaged: str) -> None:
    read_reply(text + "\ud800" + damaged % text, ASKED)


@pytest.mark.parametrize(
    "piece",
    [
        *("{", '{"a":', '"', ': "a" ', "prediction:", "prediction\n", "<prediction>", "<a", '<a>"', "\\boxed{", "<think>", "</think>"),
        *("ASSISTANT: ", "i can't ", "sorry ", "_", "\n", "\\", "```", "&quot;{", "{a: b, ", "{-", "(", '{"prediction": "fear", "', "😨"),
    ],
)
def test_a_long_loop_comes_to_an_end(piece: str) -> None:
    """A regular expression that backtracks would not within the test run."""
    assert read_reply(piece * (100_000 // len(piece)), ASKED).label in {None, "fear"}
