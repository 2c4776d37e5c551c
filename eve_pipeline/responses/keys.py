"""Content addresses of answers: equal keys mean that asking again could not be told apart."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import duckdb
import polars as pl
import rfc8785

from eve_pipeline.prompts.rendering import RenderedPrompt
from eve_pipeline.vlms.registry import ModelEntry

KEY_VERSION = 1


def canonical_parameters(entry: ModelEntry, revision: str, prompt: RenderedPrompt, schema: dict[str, Any]) -> str:
    """Return the canonical JSON (RFC 8785) of everything that can change an answer by intent; absent options are left out.

    `schema` is the JSON schema of the prompt's answer, part of it where the entry asks for one.
    """
    options = {
        "key_version": KEY_VERSION,
        "model": {"id": entry.id, "revision": revision},
        "parameters": entry.parameters.model_dump(exclude={"seed"} if entry.is_greedy else None),
        "dtype": entry.dtype,
        "image": entry.image.model_dump(),
        "response_format": {"json_schema": schema} if entry.response_format == "json_schema" else entry.response_format,
        "prompt": prompt.text,
    }
    return rfc8785.dumps(_present(options)).decode()


def answer_schema(canonical: str) -> dict[str, Any] | None:
    """Return the JSON schema in a configuration's canonical JSON, None where it has none."""
    response_format = json.loads(canonical).get("response_format")
    return response_format["json_schema"] if isinstance(response_format, dict) else None


def config_digest(canonical: str) -> str:
    """Return the SHA-256 in hex of a configuration's canonical JSON."""
    return hashlib.sha256(canonical.encode()).hexdigest()


def with_request_keys(requests: pl.DataFrame) -> pl.DataFrame:
    """Return the frame (config_digest, image_sha256, repeat, ...) with `request_key` = SHA-256 of the three, joined as text."""
    with duckdb.connect() as connection:
        connection.register("requests", requests.select("config_digest", "image_sha256", "repeat"))
        keys: pl.DataFrame = connection.sql("select sha256(config_digest || image_sha256 || repeat) as request_key from requests").pl()
        return requests.with_columns(keys["request_key"])


def _present(value: Any) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(value, Mapping):
        return value
    present = {name: _present(part) for name, part in value.items() if part is not None}
    return {name: part for name, part in present.items() if part != {}}
