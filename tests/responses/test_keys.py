"""What is part of a request's key: every field of every model that says how a request is made is declared here."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from eve_pipeline.prompts.rendering import RenderedPrompt
from eve_pipeline.responses.keys import canonical_parameters, config_digest, with_request_keys
from eve_pipeline.vlms.registry import Automation, ImageTokens, ModelEntry, Parameters, Prices
from eve_pipeline.vlms.revisions import model_revision

PROMPT = RenderedPrompt("Which emotion: fear, awe?", ("fear", "awe"))
ENTRY = ModelEntry(key="m", backend="openai", id="gpt-4o", parameters=Parameters(max_new_tokens=160, temperature=None))
SCHEMA = {"type": "object"}

words = st.text("abc", min_size=1, max_size=3)
counts = st.integers(1, 5)
IN_KEY: dict[str, st.SearchStrategy[Any]] = {
    "id": words,
    "revision": st.none() | st.builds("commit {}".format, words),
    "base_url": st.none() | st.builds("http://{}.org/v1".format, words),  # by way of the revision, where the entry states none
    "response_format": st.sampled_from([None, "json_object", "json_schema"]),
    "dtype": st.sampled_from([None, "float32", "float16", "bfloat16"]),
    "parameters.max_new_tokens": counts,
    "parameters.temperature": st.sampled_from([None, 0, 0.5, 1, 2]),
    "parameters.top_p": st.sampled_from([None, 0.1, 1]),
    "parameters.seed": counts,  # unless the model is greedy
    "parameters.logprobs": st.none() | st.integers(0, 20),
    "parameters.extra": st.dictionaries(words, counts, max_size=2),
    "image.detail": st.sampled_from([None, "low", "high", "auto"]),
    "image.max_side": st.none() | st.integers(16, 20),
    "image.jpeg_quality": st.none() | counts,
}
OUTSIDE_KEY: dict[str, st.SearchStrategy[Any]] = {
    "key": words,
    "backend": st.sampled_from(["openai", "openai_batch"]),  # the same model answers
    "path": st.none() | st.builds(Path, words),  # what its files hold is the revision
    "trust_remote_code": st.booleans(),
    "allow_unencrypted": st.booleans(),
    "api_key_env": st.none() | words,
    "prices": st.none() | st.builds(Prices, input_usd=counts, output_usd=counts, read_on=st.dates(), source=words),
    "image_tokens": st.none() | st.builds(ImageTokens, base=counts, per_tile=counts),
    "limits.batch_size": counts,
    "limits.max_in_flight": counts,
    "limits.timeout_s": counts,
    "limits.requests_per_minute": st.none() | counts,
    "limits.tokens_per_minute": st.none() | counts,
    "automation": st.none() | st.builds(Automation, max_usd_per_month=counts),
    "description": words,
}
FIELDS = IN_KEY | OUTSIDE_KEY
WHOLE = {"prices", "image_tokens", "automation"}  # optional, and declared as one


def digest(entry: ModelEntry = ENTRY, revision: str = "r1", prompt: RenderedPrompt = PROMPT, schema: dict[str, Any] = SCHEMA) -> str:
    return config_digest(canonical_parameters(entry, revision, prompt, schema))


def fields_of(entry: ModelEntry) -> Iterator[str]:
    for name in ModelEntry.model_fields:
        part = getattr(entry, name)
        if isinstance(part, BaseModel) and name not in WHOLE:
            yield from (f"{name}.{inner}" for inner in type(part).model_fields)
        else:
            yield name


def changed(entry: ModelEntry, field: str, value: object) -> ModelEntry:
    name, _, inner = field.partition(".")
    return entry.model_copy(update={name: getattr(entry, name).model_copy(update={inner: value}) if inner else value})


def value_of(entry: ModelEntry, field: str) -> object:
    name, _, inner = field.partition(".")
    return getattr(getattr(entry, name), inner) if inner else getattr(entry, name)


@st.composite
def entries(draw: st.DrawFn) -> ModelEntry:
    entry = ENTRY
    for field, values in FIELDS.items():
        entry = changed(entry, field, draw(values))
    return entry


def digest_now(entry: ModelEntry) -> str:
    """The digest at the revision that an endpoint's entry has now."""
    return digest(entry, model_revision(entry.model_copy(update={"path": None})))


def test_every_field_is_declared_as_part_of_the_key_or_not():
    assert sorted(FIELDS) == sorted(fields_of(ENTRY))
    assert not IN_KEY.keys() & OUTSIDE_KEY.keys()


@pytest.mark.parametrize("field", IN_KEY)
@given(data=st.data())
def test_a_change_of_what_can_change_an_answer_changes_the_key(field: str, data: st.DataObject):
    entry = data.draw(entries())
    if field == "base_url":
        entry = changed(entry, "revision", None)
    if field == "parameters.seed":
        entry = changed(entry, "parameters.temperature", data.draw(st.sampled_from([None, 0.5])))
    other = data.draw(FIELDS[field].filter(lambda value: value != value_of(entry, field)))
    assert digest_now(changed(entry, field, other)) != digest_now(entry)


@pytest.mark.parametrize("field", OUTSIDE_KEY)
@given(data=st.data())
def test_a_change_of_anything_else_leaves_the_key(field: str, data: st.DataObject):
    entry = data.draw(entries())
    assert digest_now(changed(entry, field, data.draw(FIELDS[field]))) == digest_now(entry)


@given(entries(), counts)
def test_a_greedy_models_seed_is_not_in_the_key(entry: ModelEntry, seed: int):
    greedy = changed(entry, "parameters.temperature", 0)
    assert digest_now(changed(greedy, "parameters.seed", seed)) == digest_now(greedy)


@given(st.lists(st.text(), min_size=2, max_size=2, unique=True))
def test_another_question_or_revision_is_another_key(texts: list[str]):
    assert len({digest(prompt=RenderedPrompt(text, ())) for text in texts}) == 2
    assert len({digest(revision=text) for text in texts}) == 2


def test_the_schema_is_part_of_the_key_where_it_is_sent():
    other = {"type": "string"}
    for response_format, n in ((None, 1), ("json_object", 1), ("json_schema", 2)):
        entry = changed(ENTRY, "response_format", response_format)
        assert len({digest(entry, schema=schema) for schema in (SCHEMA, other)}) == n


def test_golden_values():
    canonical = canonical_parameters(ENTRY, "r1", PROMPT, SCHEMA)
    assert canonical == (
        '{"key_version":1,"model":{"id":"gpt-4o","revision":"r1"},"parameters":{"max_new_tokens":160,"seed":0},'
        '"prompt":"Which emotion: fear, awe?"}'
    )
    assert config_digest(canonical) == "bb19c8fc87b0381d17c321d900a4dc4dd328a8535fcb68bb02168412b94115ba"
    keyed = with_request_keys(pl.DataFrame({"config_digest": ["c" * 64], "image_sha256": ["a" * 64], "repeat": [0]}))
    assert keyed["request_key"][0] == hashlib.sha256(("c" * 64 + "a" * 64 + "0").encode()).hexdigest()
    assert keyed["request_key"][0] == "b7fe25c2e59a3299b3c6b1b03bf99f802be2e578e604b9917b622f10d042a561"


hexes = st.text("0123456789abcdef", min_size=64, max_size=64)
triples = st.lists(st.tuples(hexes, hexes, st.integers(0, 30)), min_size=1, max_size=20, unique=True)


@given(triples)
def test_distinct_requests_have_distinct_keys(rows: list[tuple[str, str, int]]):
    keyed = with_request_keys(pl.DataFrame(rows, schema=["config_digest", "image_sha256", "repeat"], orient="row"))
    assert keyed["request_key"].n_unique() == len(rows)
    for config, image, repeat, key in keyed.iter_rows():
        assert key == hashlib.sha256(f"{config}{image}{repeat}".encode()).hexdigest()
