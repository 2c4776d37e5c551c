from pathlib import Path

import pytest
import yaml

from eve_pipeline.errors import EveError
from eve_pipeline.prompts.variants import prompt_variant, prompt_variants
from eve_pipeline.settings import Settings

GOOD = {"description": "Mine.", "answer_key": "mood", "text": 'Which of $labels? {"mood": "<emotion>"}'}


def settings_with(home: Path, content: object, name: str = "mine") -> Settings:
    folder = home / "prompts"
    folder.mkdir(parents=True)
    (folder / f"{name}.yaml").write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return Settings(home=home)


def test_a_users_prompt_joins_the_shipped_ones(tmp_path: Path) -> None:
    prompt = prompt_variant("mine", settings_with(tmp_path, GOOD))
    assert (prompt.answer_key, prompt.explanation_key, prompt.label_order, prompt.is_open) == ("mood", None, "dataset", False)


def test_a_users_prompt_replaces_a_shipped_one_of_its_name(tmp_path: Path) -> None:
    assert prompt_variant("simple", settings_with(tmp_path, GOOD, "simple")).answer_key == "mood"


def test_revision_is_of_what_is_asked_and_not_of_the_description(tmp_path: Path) -> None:
    first = prompt_variant("mine", settings_with(tmp_path / "1", GOOD)).revision
    described = prompt_variant("mine", settings_with(tmp_path / "2", GOOD | {"description": "Other."})).revision
    asked = prompt_variant("mine", settings_with(tmp_path / "3", GOOD | {"text": GOOD["text"] + " Please."})).revision
    assert first == described != asked


def test_shipped_personas_and_orders() -> None:
    variants = prompt_variants(Settings(home=Path("nowhere")))
    assert {key for key, prompt in variants.items() if prompt.is_open} == {"no_labels"}
    assert {key: prompt.persona for key, prompt in variants.items() if prompt.persona} == {
        "positive_persona": "positive",
        "negative_persona": "negative",
    }
    assert {key for key, prompt in variants.items() if prompt.label_order == key} == {"positive_first", "negative_first"}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"text": 'Which of $labels and $moods? {"mood": ""}'}, "slots other than .labels .moods"),
        ({"text": 'For 5$: $labels? {"mood": ""}'}, "a stray [$]"),
        ({"text": "Which of $labels?"}, 'never asks for the JSON key "mood"'),
        ({"explanation_key": "why"}, 'never asks for the JSON key "why"'),
        ({"text": '{"mood": ""}'}, "text: Value error, text lacks the slot [$]labels"),
        ({"open": True}, "text: Value error, open, but has [$]labels"),
        ({"text": '{"mood": ""}', "open": True, "label_order": "positive_first"}, "label_order: Value error, an open prompt lists no"),
        ({"answer_key": "?"}, "answer_key: Value error, a key has a letter"),
        ({"explanation_key": "Mood"}, "explanation_key: Value error, the reasons need a key of their own"),
        ({"labels": ["fear", "boredom"]}, "labels: Value error, 'boredom' is no emotion"),
        ({"labels": ["sad", "sadness"]}, "labels: Value error, name two or more labels, each once"),
        ({"labels": ["fear"]}, "labels: Value error, name two or more"),
        ({"labels": "fear"}, "labels: Input should be a valid tuple"),
        ({"label_order": "random"}, "label_order: Input should be"),
        ({"persona": "bored"}, "persona: Input should be"),
        ({"answer_key": None}, "answer_key: Input should be"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
    ],
)
def test_bad_fields_are_refused_by_name(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    with pytest.raises(EveError, match=rf"mine\.yaml: entry 'mine' is not valid: .*{complaint}"):
        prompt_variants(settings_with(tmp_path, GOOD | change)).complete()


LINES = """\
description: Mine.
answer_key: mood
label_order: dataset
labels:
  - fear
  - awe
text: |
  Which of $labels?
  {"mood": "<emotion>"}
"""


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("$labels", "these", 7),
        ("$labels", "$moods", 7),
        ("mood\n", "emotion\n", 7),
        ("dataset", "random", 3),
        ("  - awe", "  - boredom", 4),
        ("  - awe", "  - [awe]", 6),
        ("description: Mine.", "colour: red", 1),
        ("answer_key: mood", "answer_key: [mood]", 2),
        ("answer_key: mood", "description: Yours.", 2),
        ("label_order: dataset", "label_order: [dataset", 4),
    ],
)
def test_the_wrong_line_is_named(tmp_path: Path, old: str, new: str, line: int) -> None:
    assert prompt_variant("mine", settings_with(tmp_path / "good", LINES)).labels == ("fear", "awe")
    with pytest.raises(EveError, match=rf"(?s)mine\.yaml.*line {line}\b"):
        prompt_variants(settings_with(tmp_path / "bad", LINES.replace(old, new, 1))).complete()


@pytest.mark.parametrize("content", ["text: [", "just words", "- a\n- list"])
def test_bad_files_are_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(EveError, match=r"mine\.yaml"):
        prompt_variants(settings_with(tmp_path, content)).complete()


def test_bad_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EveError, match="key: String should match pattern"):
        prompt_variants(settings_with(tmp_path, GOOD, "My Prompt")).complete()


def test_unknown_prompt_names_the_known_ones() -> None:
    with pytest.raises(EveError, match=r"no prompt 'sample'\nKnown: caption_reasoning, .*simple"):
        prompt_variant("sample", Settings(home=Path("nowhere")))
