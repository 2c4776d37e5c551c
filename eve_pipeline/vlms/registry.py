"""Model entries: assets_data/models.yaml and the user's EVE_HOME/models.yaml."""

from datetime import date
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from eve_pipeline.registry import Entries, Key, pick, read_file
from eve_pipeline.settings import Settings

ENDPOINT_FIELDS = {"image", "response_format", "base_url", "allow_unencrypted", "api_key_env", "image_tokens", "automation"}
LOCAL = "local"
LOCAL_FIELDS = {"path", "dtype", "trust_remote_code"}


class Parameters(BaseModel):
    """Decoding: temperature 0 is greedy; None leaves a parameter to the model or provider."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_new_tokens: int = Field(512, ge=1)
    temperature: float | None = Field(0, ge=0)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int = 0
    logprobs: int | None = Field(None, ge=0, le=20, description="keep each token's log probability, and those of this many alternatives")
    extra: dict[str, Any] = Field({}, description="what else a request's body shall hold, as the server names it")


class ImagePreparation(BaseModel):
    """What is done to an image before it is sent; by default nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    detail: Literal["low", "high", "auto"] | None = None
    max_side: int | None = Field(None, ge=16, description="longest side in pixels; larger images are scaled down and sent as JPEG")
    jpeg_quality: int | None = Field(None, ge=1, le=95, description="send every image as JPEG of this quality")


class Prices(BaseModel):
    """USD per million tokens, and the day on which they were read at `source`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_usd: float = Field(ge=0)
    output_usd: float = Field(ge=0)
    read_on: date
    source: str


class ImageTokens(BaseModel):
    """What an image costs before anything was asked: `base`, and `per_tile` for each 512-pixel tile unless the detail is low."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: int = Field(ge=0)
    per_tile: int = Field(ge=0)


class Limits(BaseModel):
    """How hard to work a model: images a batch (local); requests in flight, and hard caps a minute (servers)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch_size: int = Field(16, ge=1)
    max_in_flight: int = Field(16, ge=1)
    timeout_s: float = Field(120, gt=0)
    requests_per_minute: int | None = Field(None, ge=1)
    tokens_per_minute: int | None = Field(None, ge=1)


class Automation(BaseModel):
    """That an endpoint may be asked again without a hand, and for at most how much in a calendar month (UTC), other runs counted in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_usd_per_month: float | None = Field(None, ge=0, allow_inf_nan=False)


class ModelEntry(BaseModel):
    """One model: who answers, and everything that can change its answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Key
    backend: str = Field(description="name of a module in eve_pipeline.vlms.backends")
    id: str
    path: Path | None = Field(None, description="folder of a local checkpoint, relative to the file of the entry")
    revision: str | None = None
    parameters: Parameters = Parameters()
    image: ImagePreparation = ImagePreparation()
    response_format: Literal["json_object", "json_schema"] | None = None
    dtype: Literal["float32", "float16", "bfloat16"] | None = None
    trust_remote_code: bool = False
    base_url: str | None = None
    allow_unencrypted: bool = Field(False, description="send images to a base_url that is neither https nor loopback")
    api_key_env: str | None = None
    prices: Prices | None = None
    image_tokens: ImageTokens | None = None
    limits: Limits = Limits()
    automation: Automation | None = Field(None, description="let schedules and sensors ask an endpoint again")
    description: str = ""

    @field_validator("backend")
    @classmethod
    def _known(cls, backend: str) -> str:
        known = [module.name for module in iter_modules([str(Path(__file__).parent / "backends")])]
        if backend not in known:
            raise ValueError(f"known are {', '.join(known)}")
        return backend

    @field_validator("revision")
    @classmethod
    def _not_blank(cls, revision: str | None) -> str | None:
        if revision is not None and not revision.strip():
            raise ValueError("a revision is not empty; leave it out where none is stated")
        return revision

    @field_validator("path")
    @classmethod
    def _beside_the_file(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        return path and Path((info.context or {}).get("folder", "."), path.expanduser())

    @field_validator("base_url")
    @classmethod
    def _url(cls, base_url: str | None) -> str | None:
        try:
            urlsplit(base_url or "").port  # noqa: B018 - it raises
        except ValueError:
            raise ValueError("this is no URL, such as http://127.0.0.1:8000/v1") from None  # what was caught may show a password
        return base_url

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.trust_remote_code and not self.revision:
            raise ValueError("trust_remote_code needs a revision: the commit whose code you have read")
        if self.path and self.revision:
            raise ValueError("give path or revision: the revision of a folder is the digest of its files")
        if self.automation and (self.prices is None) != (self.automation.max_usd_per_month is None):
            raise ValueError("automation of a model with prices needs max_usd_per_month, and max_usd_per_month needs prices")
        if idle := self._without_effect():
            raise ValueError(f"backend {self.backend} knows no {', '.join(sorted(idle))}; leave them out")
        return self

    def _without_effect(self) -> set[str]:
        of_the_other = ENDPOINT_FIELDS if self.backend == "transformers" else LOCAL_FIELDS
        fields = type(self).model_fields
        idle = {name for name in of_the_other if getattr(self, name) != fields[name].default}
        if self.backend == "openai_batch" and self.automation:
            idle.add("automation")  # what open batches cost is known when they end
        if self.backend == "transformers":
            idle |= {f"parameters.{name}" for name in ("logprobs", "extra") if getattr(self.parameters, name)}
        return idle

    @property
    def is_local(self) -> bool:
        """Whether the model runs on this machine, in this program; else an endpoint is asked."""
        return self.backend == "transformers"

    @property
    def provider(self) -> str:
        """Who is asked: `local`, the address of an endpoint, or the backend's own provider; entries of one share its limits."""
        return LOCAL if self.is_local else self.base_url or self.backend

    @property
    def is_greedy(self) -> bool:
        """Whether asking again gives the same answer."""
        return self.parameters.temperature == 0


def model_entries(settings: Settings) -> Entries[ModelEntry]:
    """Return the shipped and the user's entries by key; `EveError` where a file as a whole cannot be read."""
    return read_file(ModelEntry, entry_files(settings))


def entry_files(settings: Settings) -> list[Path]:
    """Return the files of the shipped and of the user's entries, which may not exist."""
    return [settings.assets_data / "models.yaml", settings.home / "models.yaml"]


def model_entry(key: str, settings: Settings) -> ModelEntry:
    """Return one entry by key."""
    return pick(model_entries(settings), key, "model")
