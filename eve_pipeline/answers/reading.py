"""Read responses into `answers`: every requested item has a row, and a failure is a status."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import polars as pl

from eve_pipeline.answers.cleaning import clean
from eve_pipeline.answers.confidence import stated_confidence, token_confidence
from eve_pipeline.answers.embeddings import Embedder
from eve_pipeline.answers.extraction import extract
from eve_pipeline.answers.matching import is_generic, is_one_thing, match_label
from eve_pipeline.answers.refusals import is_refusal
from eve_pipeline.emotions.label_sets import Labels
from eve_pipeline.emotions.normalisation import is_emotion_word
from eve_pipeline.errors import EveError
from eve_pipeline.warehouse.contract import contracts

PARSER_VERSION: Final = "4"
"""Raised with every change of what is read in a reply, label_forms.yaml and generic_answers.yaml included."""

CELL = ["config_digest", "model", "subset", "prompt"]
REPLY = [*CELL, "delivery", "text"]


class Reading(NamedTuple):
    """What one reply says; the label is set where the status is ok."""

    status: str
    raw_label: str | None = None
    label: str | None = None
    match: str | None = None
    explanation: str | None = None
    nearest_label: str | None = None
    similarity: float | None = None
    stated_confidence: float | None = None


class Asked(NamedTuple):
    """What a reader of a reply must know of its config."""

    answer_key: str
    explanation_key: str | None
    labels: Labels
    is_open: bool = False
    confidence_key: str | None = None


def read_reply(text: str, asked: Asked) -> Reading:
    """Return what a raw reply says.

    It is `ok` only where its choice of exactly one label of the list is unmistakable: what wraps a label does not matter, any other
    word beside it does. A value of the answer's key that is no label, several labels or a negated one is `out_of_vocabulary`. A reply
    without that key counts only where it is nothing but a label or an emotion word, alone or as the only value of its JSON; else it is
    a `refusal` or `unparseable`.
    """
    said = clean(text)
    reading = _read_label(said, asked)
    if not asked.confidence_key:
        return reading
    return reading._replace(stated_confidence=stated_confidence(said, asked.confidence_key, asked.answer_key))


def _read_label(said: str, asked: Asked) -> Reading:
    raw_label, explanation, bare = extract(said, asked.answer_key, asked.explanation_key)
    if bare and (match_label(bare, asked.labels) or is_emotion_word(bare)):
        raw_label = bare
    if raw_label and (match := match_label(raw_label, asked.labels)):
        return Reading("ok", raw_label, match.label, match.match, explanation)
    if is_refusal(raw_label or said):
        return Reading("refusal", raw_label, explanation=explanation)
    return Reading("out_of_vocabulary" if raw_label else "unparseable", raw_label, explanation=explanation)


def read_answers(requests: pl.DataFrame, responses: pl.DataFrame, configs: pl.DataFrame, embedder: Embedder) -> pl.DataFrame:
    """Return `answers`, one row a request.

    An answer to an open prompt that is no label by its letters gets its nearest label; its `match` is then `embedding`, or NULL where the
    answer is generic. Whether it is near enough is for who scores it: its status stays `out_of_vocabulary`.

    Args:
        requests: rows of table `requests`.
        responses: rows of table `responses`, one a request_key.
        configs: rows of table `configs`, among them each request's.
        embedder: finds the nearest labels; not used where no prompt is open.

    Raises:
        EveError: a request's config is not among the configs.
    """
    asked = requests.join(responses.select("request_key", "text", "delivery", "logprobs"), on="request_key", how="left", validate="m:1")
    current = asked.join(
        configs.select(*CELL, "is_current", parser_version=parser_versions(configs, embedder)), on=CELL, how="left", validate="m:1"
    )
    if unknown := current.filter(pl.col("is_current").is_null())["config_digest"].unique().sort().to_list():
        raise EveError(f"{len(unknown)} configs of requests are not in table configs, first {unknown[0]}", "Plan the cell again.")
    received = current.filter(pl.col("delivery") == "received").select(*REPLY)
    questions = _asked(configs)
    readings = _read_each(received.unique(maintain_order=True), questions, embedder)
    undelivered = pl.col("delivery").fill_null("missing")
    answers = current.join(readings, on=REPLY, how="left", nulls_equal=True).with_columns(status=pl.coalesce("status", undelivered))
    answers = _with_token_confidence(answers, questions)
    contract = contracts()["answers"]
    return contract.conform(answers.select(name for name in contract.columns if name in answers.columns))


def parser_versions(configs: pl.DataFrame, embedder: Embedder) -> pl.Series:
    """Return the version that reads the answers to each config; to open prompts it names the embedding model."""
    suffix = f"+{embedder.digest}" if configs["is_open"].any() else ""
    return pl.Series([f"{PARSER_VERSION}{suffix if is_open else ''}" for is_open in configs["is_open"]], dtype=pl.String)


def _read_each(replies: pl.DataFrame, asked: Mapping[tuple[str, ...], Asked], embedder: Embedder) -> pl.DataFrame:
    """Return the distinct replies (columns REPLY) with the fields of their readings."""
    questions = [asked[tuple(cell)] for *cell, _, _ in replies.iter_rows()]
    readings = [read_reply(text or "", question) for text, question in zip(replies["text"], questions, strict=True)]
    schema = dict.fromkeys(Reading._fields, pl.String) | {"similarity": pl.Float64, "stated_confidence": pl.Float64}
    return replies.hstack(pl.DataFrame(_with_nearest(readings, questions, embedder), schema, orient="row"))


def _asked(configs: pl.DataFrame) -> dict[tuple[str, ...], Asked]:
    keys = configs.select(*CELL, "answer_key", "explanation_key", "labels", "is_open", "confidence_key").iter_rows()
    return {tuple(cell): Asked(key, reasons, tuple(labels), is_open, sure) for *cell, key, reasons, labels, is_open, sure in keys}


def _with_nearest(readings: list[Reading], questions: list[Asked], embedder: Embedder) -> list[Reading]:
    """Return the readings, those of open answers that no string decides with their nearest labels."""
    words: dict[Labels, set[str]] = {}
    for reading, question in zip(readings, questions, strict=True):
        if _may_be_near(reading, question) and reading.raw_label:
            words.setdefault(question.labels, set()).add(reading.raw_label)
    nearest = {labels: embedder.nearest(sorted(of), labels) for labels, of in words.items()}
    return [
        reading._replace(
            nearest_label=near.label, similarity=near.similarity, match=None if is_generic(str(reading.raw_label)) else "embedding"
        )
        if _may_be_near(reading, question) and (near := nearest[question.labels].get(str(reading.raw_label)))
        else reading
        for reading, question in zip(readings, questions, strict=True)
    ]


def _may_be_near(reading: Reading, question: Asked) -> bool:
    is_unmatched = question.is_open and reading.status == "out_of_vocabulary" and reading.raw_label is not None
    return is_unmatched and is_one_thing(str(reading.raw_label), question.labels)


def _with_token_confidence(answers: pl.DataFrame, asked: Mapping[tuple[str, ...], Asked]) -> pl.DataFrame:
    """Return the answers, with `token_confidence` and `label_probabilities` where any response has log probabilities."""
    if answers["logprobs"].null_count() == answers.height:
        return answers
    found = [
        token_confidence(logprobs, raw_label, asked[tuple(cell)].answer_key, asked[tuple(cell)].labels) if logprobs and raw_label else None
        for *cell, logprobs, raw_label in answers.select(*CELL, "logprobs", "raw_label").iter_rows()
    ]
    shares = [[{"label": label, "share": share} for label, share in one.labels.items()] or None if one else None for one in found]
    columns = contracts()["answers"].polars_schema
    return answers.with_columns(
        token_confidence=pl.Series([one.confidence if one else None for one in found], dtype=pl.Float64),
        label_probabilities=pl.Series(shares, dtype=columns["label_probabilities"]),
    )
