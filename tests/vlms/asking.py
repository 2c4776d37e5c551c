"""Requests about files, and entries of the tests' server."""

import hashlib
from pathlib import Path

from eve_pipeline.vlms.protocol import Request
from eve_pipeline.vlms.registry import ModelEntry
from tests.chat_server import ChatServer


def request_about(file: Path, prompt: str = "Which emotion?", **fields: object) -> Request:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    told = {"request_key": f"{digest} {prompt}", "image": file, "image_sha256": digest, "prompt": prompt, "seed": 3}
    return Request.model_validate(told | fields)


def entry_of(server: ChatServer, **fields: object) -> ModelEntry:
    return ModelEntry.model_validate({"key": "served", "backend": "openai", "id": "stub", "base_url": server.url} | fields)
