import hashlib

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.prompts.rendering import RenderedPrompt
from eve_pipeline.responses.keys import canonical_parameters, config_digest, with_request_keys
from eve_pipeline.vlms.registry import ImagePreparation, ModelEntry, Parameters

PROMPT = RenderedPrompt("Which emotion: fear, awe?", ("fear", "awe"))
ENTRY = ModelEntry(key="m", backend="openai", id="gpt-4o", parameters=Parameters(max_new_tokens=160, temperature=None))

SCHEMA = {"type": "object"}


def digest(entry: ModelEntry = ENTRY, revision: str = "r1", prompt: RenderedPrompt = PROMPT) -> str:
    return config_digest(canonical_parameters(entry, revision, prompt, SCHEMA))


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


@pytest.mark.parametrize(
    "changed",
    [
        digest(revision="r2"),
        digest(prompt=RenderedPrompt("Which emotion: awe, fear?", ("awe", "fear"))),
        digest(ENTRY.model_copy(update={"id": "gpt-4o-mini"})),
        digest(ENTRY.model_copy(update={"dtype": "float16"})),
        digest(ENTRY.model_copy(update={"response_format": "json_object"})),
        digest(ENTRY.model_copy(update={"image": ImagePreparation(detail="low")})),
        *(
            digest(ENTRY.model_copy(update={"parameters": ENTRY.parameters.model_copy(update=update)}))
            for update in ({"temperature": 0}, {"temperature": 0.5}, {"top_p": 0.3}, {"seed": 1}, {"max_new_tokens": 161})
        ),
    ],
)
def test_whatever_can_change_an_answer_changes_the_key(changed: str):
    assert changed != digest()


@pytest.mark.parametrize("update", [{"key": "other"}, {"description": "x"}, {"limits": {"batch_size": 3}}, {"api_key_env": "OTHER"}])
def test_what_does_not_change_an_answer_leaves_the_key(update: dict[str, object]):
    assert digest(ModelEntry.model_validate(ENTRY.model_dump() | update)) == digest()


hexes = st.text("0123456789abcdef", min_size=64, max_size=64)
triples = st.lists(st.tuples(hexes, hexes, st.integers(0, 30)), min_size=1, max_size=20, unique=True)


@given(triples)
def test_distinct_requests_have_distinct_keys(rows: list[tuple[str, str, int]]):
    keyed = with_request_keys(pl.DataFrame(rows, schema=["config_digest", "image_sha256", "repeat"], orient="row"))
    assert keyed["request_key"].n_unique() == len(rows)
    for config, image, repeat, key in keyed.iter_rows():
        assert key == hashlib.sha256(f"{config}{image}{repeat}".encode()).hexdigest()
