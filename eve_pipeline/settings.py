"""All that the environment can change. Nothing else in the package reads the environment."""

import os
import shlex
import stat
from datetime import timedelta
from pathlib import Path

from dotenv import dotenv_values
from platformdirs import user_config_path
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from eve_pipeline.errors import EveError

PROJECT = Path(__file__).resolve().parent.parent
OTHERS = stat.S_IRWXG | stat.S_IRWXO
LOGS_KEPT = timedelta(days=30)


class Settings(BaseSettings):
    """Where things are and how much of the machine to use; each field is read from `EVE_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="EVE_", frozen=True)

    home: Path = Field(Path("eve_home"), description="folder of everything the pipeline makes")
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, description="threads that read images")
    device: str | None = Field(None, description="torch device, or auto for all GPUs; by default cuda, mps or cpu")
    embedding_model: str = Field(
        "all-MiniLM-L6-v2", description="sentence-transformers model that matches open answers to labels: a hub name or a folder"
    )

    keyring: Path = Field(
        default_factory=lambda: user_config_path("eve_pipeline") / "keys.env", description="file of API keys, NAME=key a line"
    )
    ui_url: str | None = Field(None, description="where people open the Dagster UI; alerts link to it")

    pages_url: str = Field("http://127.0.0.1:3001", description="where eve ui serves the page of checks; asset checks link to it")

    @field_validator("home", "keyring")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().resolve()

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

    @property
    def logs(self) -> Path:
        """The folder of the structured logs, a file a day."""
        return self.home / "logs"

    @property
    def postgres_url(self) -> SecretStr | None:
        """Where Dagster keeps its runs and events, in the place of SQLite; holds a password."""
        return self.secret("EVE_POSTGRES_URL")

    @property
    def alert_webhook(self) -> SecretStr | None:
        """Where alerts are posted to; such addresses hold tokens."""
        return self.secret("EVE_ALERT_WEBHOOK")

    @property
    def app_token(self) -> SecretStr | None:
        """What visitors of the web app have to know; None where everybody who reaches it may look."""
        return self.secret("EVE_APP_TOKEN")

    def secret(self, variable: str) -> SecretStr | None:
        """Return the secret in the named environment variable, else in the keyring file; None where it is in neither.

        Raises:
            EveError: the keyring file could be committed, or others can read it.
        """
        value = os.environ.get(variable) or self._keyring_values().get(variable)
        return SecretStr(value) if value else None

    def _keyring_values(self) -> dict[str, str | None]:
        if not self.keyring.is_file():
            return {}
        if self.keyring.is_relative_to(PROJECT) or any((folder / ".git").exists() for folder in self.keyring.parents):
            raise EveError(f"The keyring {self.keyring} lies inside a repository", "Move it elsewhere, and name it in EVE_KEYRING.")
        if self.keyring.stat().st_mode & OTHERS:
            raise EveError(f"Others can read the keyring {self.keyring}", f"Run: chmod 600 {shlex.quote(str(self.keyring))}")
        return dotenv_values(self.keyring, interpolate=False)
