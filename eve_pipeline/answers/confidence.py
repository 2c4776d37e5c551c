"""How sure a model is of its answer: what it says, and what the log probabilities of its tokens say."""

import json
import math
import re
from itertools import accumulate
from typing import Any, NamedTuple

from eve_pipeline.answers.extraction import extract
from eve_pipeline.emotions.label_sets import Labels
from eve_pipeline.emotions.normalisation import plain

_NUMBER = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)")
_PERCENT = 100


class TokenConfidence(NamedTuple):
    """The probability of the answer's tokens, and of labels by the tokens that could have stood in place of the first of them."""

    confidence: float
    labels: dict[str, float]


def stated_confidence(said: str, confidence_key: str, answer_key: str) -> float | None:
    """Return the number under a key of a clean reply as a share of 1; None where there is no single number from 0 to 100.

    "80", "80 %" and 0.8 are the same: above 1 a number is taken for percent.
    """
    value = extract(said, confidence_key, answer_key).raw_label
    number = _NUMBER.fullmatch(value.strip()) if value else None
    if not number:
        return None
    share = float(number[1]) / (_PERCENT if number[2] or float(number[1]) > 1 else 1)
    return share if share <= 1 else None


def token_confidence(logprobs: str, raw_label: str, answer_key: str, labels: Labels) -> TokenConfidence | None:
    """Return what the log probabilities of a reply say of its answer; None where the answer is not found in the tokens.

    A token that begins just one label stands for it; one that begins several, or none, for none. Where the answer's own first token
    begins several labels, the labels have no probabilities.

    Args:
        logprobs: JSON list of the reply's tokens, as in table `responses`.
        raw_label: the answer as the model wrote it.
        answer_key: JSON key in which the prompt asks for it.
        labels: the labels that an answer may have.
    """
    tokens: list[dict[str, Any]] = json.loads(logprobs)
    texts = [str(token["token"]) for token in tokens]
    whole = "".join(texts).casefold()
    at = whole.find(raw_label.casefold(), max(whole.rfind(answer_key.casefold()), 0))
    if at < 0 or not raw_label:
        return None
    ends = list(accumulate(len(text.casefold()) for text in texts))
    inside = [
        number for number, end in enumerate(ends) if end > at and end - len(texts[number].casefold()) < at + len(raw_label.casefold())
    ]
    confidence = math.exp(sum(float(tokens[number]["logprob"]) for number in inside))
    return TokenConfidence(min(confidence, 1.0), _label_probabilities(tokens[inside[0]], labels))


def _label_probabilities(token: dict[str, Any], labels: Labels) -> dict[str, float]:
    alternatives = {**token["top"], token["token"]: token["logprob"]}
    if _begun(str(token["token"]), labels) is None:
        return {}
    shares: dict[str, float] = {}
    for text, logprob in alternatives.items():
        if label := _begun(text, labels):
            shares[label] = shares.get(label, 0.0) + math.exp(float(logprob))
    return shares


def _begun(text: str, labels: Labels) -> str | None:
    start = plain(text)
    begun = [label for label in labels if start and plain(label).startswith(start)]
    return begun[0] if len(begun) == 1 else None
