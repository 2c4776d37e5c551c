"""What people ask about a drawn picture, and what its viewers answer: the lessons of the demo models."""

import json
import re
from typing import NamedTuple

import numpy as np

from eve_pipeline.datasets.drawing import EMOTIONS, STYLES
from eve_pipeline.emotions.affect import sentiments
from eve_pipeline.emotions.label_sets import Labels, label_sets
from eve_pipeline.prompts.rendering import render
from eve_pipeline.prompts.variants import PromptVariant, prompt_variants
from eve_pipeline.settings import Settings

PERSONA_PULL = 5.0  # how much likelier a cheerful or gloomy viewer is to feel what suits them
GENERIC_WORDS = ("curiosity", "interest", "calm", "unease")


class Words(NamedTuple):
    """What a viewer says of a picture that evokes an emotion; the synonyms go with the style's two neighbours."""

    forms: str
    ground: str
    mood: str
    caption: str
    synonyms: tuple[str, str]


WORDS = {
    "amusement": Words("nested discs and confetti", "warm yellow light", "playful", "Discs dance at a fair", ("joy", "cheerfulness")),
    "anger": Words("red splinters and slashes", "a burning red haze", "violent", "Splinters fly in the heat", ("rage", "irritation")),
    "awe": Words("a great light with rays", "a deep blue sky", "sublime", "A light opens the night sky", ("wonder", "reverence")),
    "contentment": Words("soft hills under a sun", "a pale evening sky", "peaceful", "Hills rest in soft light", ("serenity", "peace")),
    "disgust": Words("dripping slime with spots", "a muddy green fog", "repulsive", "Slime drips down the wall", ("revulsion", "nausea")),
    "excitement": Words(
        "swirling strokes and sparks", "purple and orange glow", "thrilling", "Fireworks swirl at night", ("joy", "thrill")
    ),
    "fear": Words("crooked branches and a void", "cold darkness", "threatening", "Branches reach from the dark", ("dread", "terror")),
    "sadness": Words("hanging strands and rain", "grey blue mist", "mournful", "Rain falls on still water", ("gloom", "melancholy")),
}
OTHER_NAMES = {
    "abstract": {"contentment": "content", "sadness": "sad"},
    "emotion6": {"amusement": "joy", "awe": "surprise", "contentment": "neutral", "excitement": "joy"},
}


class Question(NamedTuple):
    """A rendered prompt, the label of each emotion under its list, and the chance of each emotion to be answered."""

    variant: PromptVariant
    text: str
    names: dict[str, str]
    weights: np.ndarray


class Teacher:
    """Makes up what people ask about a picture and what they answer."""

    def __init__(self, settings: Settings) -> None:
        self.variants = prompt_variants(settings)
        self._lists = label_sets(settings)
        self._sentiments = sentiments(settings)

    def question(self, variant: PromptVariant, rng: np.random.Generator) -> Question:
        """Return the prompt with a random label list: mostly the one of the sample dataset."""
        name = str(rng.choice(["abstract", "mikels", "emotion6", "part"], p=[0.6, 0.2, 0.1, 0.1]))
        if name == "part":
            labels: Labels = tuple(rng.permutation(self._lists["mikels"])[: rng.integers(4, 9)].tolist())
        else:
            labels = self._lists[name]
        names = {emotion: OTHER_NAMES.get(name, {}).get(emotion, emotion) for emotion in EMOTIONS}
        listed = np.array([variant.is_open or names[emotion] in labels for emotion in EMOTIONS], dtype=float)
        return Question(variant, self.ask(variant, labels), names, listed * self._pull(variant))

    def ask(self, variant: PromptVariant, labels: Labels) -> str:
        """Return the text that a model reads."""
        return next(iter(render(variant, labels, self._sentiments))).text

    def _pull(self, variant: PromptVariant) -> np.ndarray:
        return np.array([PERSONA_PULL if self._sentiments[emotion] == variant.persona else 1.0 for emotion in EMOTIONS])

    def answer(self, question: Question, shares: np.ndarray, rng: np.random.Generator) -> str:
        """Return the JSON text of one viewer."""
        chances = shares * question.weights
        felt, around = (str(rng.choice(EMOTIONS, p=p / p.sum())) for p in (chances, shares))
        label = open_word(felt, shares, rng) if question.variant.is_open else question.names[felt]
        return json.dumps(fill(question.variant, label, WORDS[felt], WORDS[around]))


def open_word(felt: str, shares: np.ndarray, rng: np.random.Generator) -> str:
    """Return the emotion's own name where most viewers agree, else the synonym that leans to the neighbour."""
    if shares[EMOTIONS.index(felt)] < 0.1:  # noqa: PLR2004 - only stray viewers feel this
        return str(rng.choice(GENERIC_WORDS))
    first, second = (shares[EMOTIONS.index(neighbour)] for neighbour in STYLES[felt].neighbours)
    return felt if max(first, second) < 0.25 else WORDS[felt].synonyms[int(second > first)]  # noqa: PLR2004 - about half the pictures


def expected_keys(variant: PromptVariant) -> list[str]:
    """Return the JSON keys that a prompt asks for, in its order."""
    return re.findall(r'"([^"]+)": "<', variant.text)


def fill(variant: PromptVariant, label: str, felt: Words, around: Words) -> dict[str, str]:
    """Return the answer under the keys that the prompt asks for."""
    keys = expected_keys(variant)
    texts = {
        "explanation": f"I see {felt.forms} in {felt.ground}, which feels {felt.mood}.",
        "Step 1": felt.forms if "Step 2" in keys else f"{felt.caption}.",
        "Step 2": around.ground,
        "Step 3": f"Both feel {felt.mood}." if felt is around else f"The object is {felt.mood}, the background {around.mood}.",
        variant.answer_key: label,
    }
    return {key: texts[key] for key in keys}
