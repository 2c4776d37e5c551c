"""What the pipeline asks of a model, and what it gets back."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, field_validator

from eve_pipeline.settings import Settings
from eve_pipeline.vlms.registry import ModelEntry


class Request(BaseModel):
    """One image, of a width and height in pixels where they are known, and one question; `json_schema` where the answer shall keep one."""

    model_config = ConfigDict(frozen=True)

    request_key: str
    image: Path
    image_sha256: str
    width: int = 0
    height: int = 0
    prompt: str
    json_schema: dict[str, Any] | None = None
    seed: int


class Reply(BaseModel):
    """One row of the table `responses`, whose contract says what each field means."""

    model_config = ConfigDict(frozen=True)

    request_key: str
    text: str | None = None
    finish_reason: str | None = None
    delivery: Literal["received", "content_filter", "error"]
    error: str | None = None
    served_model: str | None = None
    system_fingerprint: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None
    attempts: int = 1
    logprobs: str | None = None
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @field_validator("text", "error")
    @classmethod
    def _storable(cls, text: str | None) -> str | None:
        """Replace lone surrogates, as of an emoji cut in two, which no file can hold."""
        return text and text.encode("utf-8", "replace").decode()

    @classmethod
    def failed(cls, request: Request, error: object) -> "Reply":
        """Return the reply to a request that got none; the next run asks again."""
        return cls(request_key=request.request_key, delivery="error", error=str(error))


class Vlm(Protocol):
    """A model that is ready to be asked."""

    def respond(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """Yield one reply a request as it arrives, in any order; what fails for one request is a reply with delivery `error`."""
        ...


def open_vlm(entry: ModelEntry, settings: Settings) -> AbstractContextManager[Vlm]:
    """Return the model of an entry, loaded or connected on entering and released on leaving.

    Raises:
        EveError: it cannot be had; the error names the entry and the ways to get it.
    """
    backend = import_module(f"eve_pipeline.vlms.backends.{entry.backend}")
    vlm: AbstractContextManager[Vlm] = backend.open_vlm(entry, settings)
    return vlm
