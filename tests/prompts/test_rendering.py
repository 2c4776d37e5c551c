from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.emotions.affect import Sentiment, sentiments
from eve_pipeline.emotions.label_sets import label_sets
from eve_pipeline.prompts.rendering import asked_labels, order_labels, render
from eve_pipeline.prompts.variants import LabelOrder, prompt_variants
from eve_pipeline.settings import Settings

SETTINGS = Settings(home=Path("nowhere"))
GOLDEN = Path(__file__).parent / "golden"
SENTIMENTS = sentiments(SETTINGS)
VARIANTS = prompt_variants(SETTINGS)
FAMILIES = [key for key, prompt in VARIANTS.items() if prompt.is_family]
SINGLE = [key for key in VARIANTS if key not in FAMILIES]
RULES: list[LabelOrder] = ["positive_first", "negative_first"]
SENTIMENT_MAPS = st.dictionaries(st.text(max_size=3), st.sampled_from(["positive", "negative", "none"]), min_size=1)


@pytest.mark.parametrize("key", SINGLE)
def test_rendered_texts_are_the_golden_ones(key: str) -> None:
    """A changed text is a changed question: every answer to it is asked anew."""
    golden = yaml.safe_load((GOLDEN / f"{key}.yaml").read_text(encoding="utf-8"))
    rendered = {name: [text for text, _ in render(VARIANTS[key], labels, SENTIMENTS)] for name, labels in label_sets(SETTINGS).items()}
    assert rendered == {name: [text] for name, text in golden.items()}


@pytest.mark.parametrize("key", FAMILIES)
def test_rendered_families_are_the_golden_ones(key: str) -> None:
    """Their golden files hold the text once, and the orders as initials of three letters."""
    golden = yaml.safe_load((GOLDEN / f"{key}.yaml").read_text(encoding="utf-8"))
    for name, labels in label_sets(SETTINGS).items():
        asked = asked_labels(VARIANTS[key], labels)
        rendered = list(render(VARIANTS[key], asked, SENTIMENTS)) if asked else []
        assert [" ".join(label[:3] for label in order) for _, order in rendered] == golden["orders"][name]
        assert [text for text, _ in rendered] == [golden["text"].replace("$labels", ", ".join(order)) for _, order in rendered]


def test_a_part_is_spelled_as_the_dataset_spells_it() -> None:
    found = {name: asked_labels(VARIANTS["permutation_4"], labels) for name, labels in label_sets(SETTINGS).items()}
    assert found == {
        "mikels": ("amusement", "contentment", "fear", "sadness"),
        "abstract": ("amusement", "content", "fear", "sad"),
        "emotion6": None,
        "ekman": None,
    }


def test_golden_texts_are_there_for_every_variant_and_no_other() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == set(VARIANTS)
    assert len(SINGLE) == 9
    assert FAMILIES == ["label_permutation", "permutation_4"]


@pytest.mark.parametrize("key", SINGLE)
def test_label_order_is_what_the_text_lists(key: str) -> None:
    [(text, order)] = render(VARIANTS[key], label_sets(SETTINGS)["mikels"], SENTIMENTS)
    assert ", ".join(order) in text
    assert (order == ()) == VARIANTS[key].is_open


def test_dollar_signs_survive() -> None:
    prompt = VARIANTS["simple"].model_copy(update={"text": 'For $$5: $labels? "prediction"'})
    assert [text for text, _ in render(prompt, ("awe",), {})] == ['For $5: awe? "prediction"']


@given(SENTIMENT_MAPS)
def test_the_datasets_order_is_left_alone(by_label: dict[str, Sentiment]) -> None:
    assert order_labels(tuple(by_label), "dataset", by_label) == [tuple(by_label)]


@given(SENTIMENT_MAPS, st.sampled_from(RULES))
def test_sentiments_are_grouped_and_the_datasets_order_stays_within(by_label: dict[str, Sentiment], rule: LabelOrder) -> None:
    labels = tuple(by_label)
    [ordered] = order_labels(labels, rule, by_label)
    groups = ("positive", "none", "negative") if rule == "positive_first" else ("negative", "none", "positive")
    assert ordered == tuple(label for group in groups for label in labels if by_label[label] == group)


@given(st.lists(st.text(max_size=3), unique=True), st.sampled_from(RULES))
def test_labels_without_a_sentiment_count_as_none(labels: list[str], rule: LabelOrder) -> None:
    assert order_labels(tuple(labels), rule, {}) == [tuple(labels)]
