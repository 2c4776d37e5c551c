"""All that the environment can change. Nothing else in the package reads the environment."""

import os
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Where things are and how much of the machine to use; each field is read from `EVE_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="EVE_", frozen=True)

    home: Path = Field(Path("eve_home"), description="folder of everything the pipeline makes")
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, description="threads that read images")
    device: str | None = Field(None, description="torch device, or auto for all GPUs; by default cuda, mps or cpu")

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().resolve()

    @property
    def assets_data(self) -> Path:
        """The folder of shipped models, prompts and datasets."""
        return PROJECT / "assets_data"

    @property
    def dbt_project(self) -> Path:
        """The folder of the dbt project."""
        return PROJECT / "dbt_like_models"

    @property
    def named_queries(self) -> Path:
        """The folder of named ad-hoc queries."""
        return PROJECT / "sql"

    def secret(self, variable: str) -> SecretStr | None:
        """Return the secret in the named environment variable, None where it is not set."""
        value = os.environ.get(variable)
        return SecretStr(value) if value else None
