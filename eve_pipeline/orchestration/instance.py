"""The Dagster instance of an EVE_HOME: runs, events and partitions in EVE_HOME/dagster, or in PostgreSQL where EVE_POSTGRES_URL says so."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._core.storage.base_storage import DagsterStorage
from dagster._serdes import ConfigurableClassData
from dagster._utils.merger import deep_merge_dicts
from filelock import FileLock

from eve_pipeline.errors import EveError
from eve_pipeline.files import is_out_of_room, replacing, unwritable
from eve_pipeline.registry import read_yaml
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse

HEADER = "# Written at each start from assets_data/dagster.yaml and EVE_HOME/dagster.yaml: change the latter. SHA-256 of what follows: "
COPIED_BY_EARLIER_VERSIONS = {"481afcd2843be56a10c5c5be825539cf7d68cdb812eaef7346a87062e7f65908"}
POSTGRES = {"custom": {"module": __name__, "class": "PostgresStorage", "config": {}}}


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """Return the instance; the caller closes it by leaving its context.

    Raises:
        EveError: its settings are not valid, its database is damaged, PostgreSQL cannot be reached, or the disk is full or read-only.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        home, lock = dagster_home(settings), FileLock(Warehouse.of(settings).lock("dagster"))
        lock.acquire()  # of processes that make Dagster's databases at once, some would fail
    except OSError as error:
        raise unwritable(settings.home, error) from error
    try:
        return dg.DagsterInstance.from_config(str(home))
    except EveError:
        raise
    except SQLAlchemyError as error:
        reason = str(error).partition("\n")[0]
        raise EveError(
            f"A database in {home} cannot be used: {reason}", "Move the folder away: it holds runs and events, and no answers."
        ) from error
    except Exception as error:  # Dagster refuses some settings by a TypeError, or whatever comes of them
        if is_out_of_room(error):
            raise unwritable(home, error) from error
        raise EveError(f"The Dagster settings are not valid: {error}", f"Correct {_own_file(settings)}.") from error
    finally:
        lock.release()


def dagster_home(settings: Settings) -> Path:
    """Return the instance's folder; its dagster.yaml is what the program ships, changed by what EVE_HOME/dagster.yaml says.

    Raises:
        EveError: what the user has changed is in the wrong file, is not a mapping, or names two storages.
    """
    home = settings.home / "dagster"
    config = home / "dagster.yaml"
    _rescue_edits(config, _own_file(settings))
    content = yaml.safe_dump(_instance_config(settings), sort_keys=False)
    text = f"{HEADER}{_digest(content)}\n{content}"
    if not config.exists() or config.read_text(encoding="utf-8") != text:
        with replacing(config) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return home


def _instance_config(settings: Settings) -> dict[str, Any]:
    shipped, own = _mapping(settings.assets_data / "dagster.yaml"), _mapping(_own_file(settings))
    handlers = {"daily": {"class": "eve_pipeline.logs.DailyFile", "home": str(settings.home)}}
    made: dict[str, Any] = {"python_logs": {"dagster_handler_config": {"handlers": handlers}}}
    if settings.postgres_url:
        if any(key.endswith("storage") for key in own):
            raise EveError(f"{_own_file(settings)} names a storage, and EVE_POSTGRES_URL another", "Remove one of them.")
        made["storage"] = POSTGRES
    return dict(deep_merge_dicts(deep_merge_dicts(shipped, made), own))


def _own_file(settings: Settings) -> Path:
    return settings.home / "dagster.yaml"


def _mapping(file: Path) -> dict[str, Any]:
    content = read_yaml(file) if file.exists() else {}
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise EveError(
            f"{file} is not a mapping", "Write settings as in assets_data/dagster.yaml, such as `run_retries: {max_retries: 5}`."
        )
    return content


def _rescue_edits(config: Path, own: Path) -> None:
    """Keep what a user has changed in the file that is about to be written anew.

    An edited copy of an earlier version becomes the user's own file.
    """
    if not config.exists():
        return
    text = config.read_text(encoding="utf-8")
    first, _, rest = text.partition("\n")
    if first == HEADER + _digest(rest) or _digest(text) in COPIED_BY_EARLIER_VERSIONS:
        return
    if first.startswith(HEADER) or own.exists():
        raise EveError(f"{config} was edited, but is written anew at each start", f"Move your changes to {own} and delete it.")
    config.rename(own)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class PostgresStorage(DagsterStorage):
    """What dagster.yaml names in place of a URL, so that the password stays in the environment or the keyring."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return that there is nothing to configure."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> DagsterStorage:  # noqa: ARG003 - Dagster's signature
        """Return Dagster's storage in the database that EVE_POSTGRES_URL names.

        Raises:
            EveError: it names none, or the database cannot be used.
        """
        from dagster_postgres.storage import DagsterPostgresStorage
        from dagster_postgres.utils import DagsterPostgresException
        from sqlalchemy.exc import SQLAlchemyError

        url = Settings().postgres_url
        if url is None:
            raise EveError("EVE_POSTGRES_URL is not set in a process of an instance that uses it", "Set it, and start eve ui again.")
        try:
            return DagsterPostgresStorage(_with_driver(url.get_secret_value()), inst_data=inst_data)
        except (DagsterPostgresException, SQLAlchemyError, ValueError) as error:
            problem = _unusable(error)
        raise problem  # outside of the clause: what it caught may show the URL


def _with_driver(url: str) -> str:
    from sqlalchemy import make_url

    if url.count("@") > 1:  # what follows the first would be taken for the host, and printed
        raise ValueError("an @ in its user or password must be written %40")
    parsed = make_url(url)
    if not parsed.drivername.startswith("postgres"):
        raise ValueError(f"a {parsed.drivername} database is not PostgreSQL")
    return parsed.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)  # what dagster-postgres comes with


def _unusable(error: Exception) -> EveError:
    from sqlalchemy.exc import ArgumentError

    cause = error.__cause__ or error
    reason = "not a URL" if isinstance(cause, ArgumentError) else str(getattr(cause, "orig", cause)).strip().partition("\n")[0]
    return EveError(
        f"The database of EVE_POSTGRES_URL cannot be used: {reason}",
        "Start PostgreSQL, or correct the secret: postgresql://USER:PASSWORD@HOST:5432/DATABASE.",
    )
