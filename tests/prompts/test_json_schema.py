from eve_pipeline.emotions.affect import sentiments
from eve_pipeline.prompts.json_schema import answer_json_schema
from eve_pipeline.prompts.rendering import render
from eve_pipeline.prompts.variants import prompt_variants
from eve_pipeline.settings import Settings

LABELS = ("awe", "fear")


def schema(prompt: str, settings: Settings) -> dict[str, object]:
    variant = prompt_variants(settings)[prompt]
    return answer_json_schema(variant, next(render(variant, LABELS, sentiments(settings))))


def test_the_answer_is_one_of_the_labels_and_reasons_come_first(settings: Settings):
    text = {"type": "string"}
    assert schema("context_reasoning", settings) == {
        "type": "object",
        "properties": {"Step 1": text, "Step 2": text, "Step 3": text, "Prediction": {"type": "string", "enum": ["awe", "fear"]}},
        "required": ["Step 1", "Step 2", "Step 3", "Prediction"],
        "additionalProperties": False,
    }


def test_an_open_prompt_leaves_the_word_to_the_model(settings: Settings):
    assert schema("no_labels", settings)["properties"] == {"prediction": {"type": "string"}}


def test_every_shipped_prompt_has_a_schema_with_its_keys(settings: Settings):
    for key, variant in prompt_variants(settings).items():
        if not variant.labels:
            assert {variant.answer_key, *filter(None, [variant.explanation_key])} <= set(schema(key, settings)["required"])  # type: ignore[call-overload]
