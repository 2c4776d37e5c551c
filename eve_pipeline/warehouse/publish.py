"""Build a fresh DuckDB file from the warehouse and switch the link to it; readers never wait and never see half of one."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import duckdb
from filelock import FileLock
from ulid import ULID

from eve_pipeline.errors import EveError
from eve_pipeline.files import is_out_of_room, unwritable
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.compaction import record_published
from eve_pipeline.warehouse.dbt_process import READY
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.raw_schema import create_raw_schema, damaged_files

KEPT = 3


@dataclass(frozen=True)
class Publication:
    """A database in the making, and what dbt needs to know to fill it."""

    folder: Path
    dbt: Path
    project: Path
    statistics: Path

    @classmethod
    def building(cls, warehouse: Warehouse, settings: Settings) -> Self:
        """Return the one that is being built; its name is always the same: dbt parses all again when its profile's path changes."""
        return cls(warehouse.publications / ".building", warehouse.home / "dbt", settings.dbt_project, warehouse.statistics)

    @property
    def database(self) -> Path:
        """The DuckDB file; on success its folder is renamed to `published/<ulid>`."""
        return self.folder / "eve.duckdb"

    @property
    def target(self) -> Path:
        """Where dbt writes artifacts; kept between publications, so that dbt parses only what has changed."""
        return self.dbt / "target"

    @property
    def log(self) -> Path:
        """The log of dbt."""
        return self.dbt / "logs" / "dbt.log"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which any dbt command works on this database."""
        return {
            "EVE_PUBLICATION": str(self.database),
            "EVE_STATISTICS_CACHE": str(self.statistics),
            "DBT_PROJECT_DIR": str(self.project),
            "DBT_PROFILES_DIR": str(self.project),
            "DBT_TARGET_PATH": str(self.target),
            "DBT_LOG_PATH": str(self.log.parent),
            "DBT_LOG_LEVEL_FILE": "info",  # at debug, a quarter of the time goes into the log
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1",
        }


@contextmanager
def publication(warehouse: Warehouse, settings: Settings) -> Iterator[Publication]:
    """Yield a new database with schema `raw` filled and no connection open; publish it unless the body raises.

    One at a time: a second publisher waits. Whatever is raised, the last published database stays as it was.

    Raises:
        EveError: a Parquet file is damaged, of another table, or newer than this program, or the disk is full.
    """
    with FileLock(warehouse.lock("publish")):
        building, name = Publication.building(warehouse, settings), str(ULID())  # dated by when it began to read
        shutil.rmtree(building.folder, ignore_errors=True)
        building.folder.mkdir(parents=True)
        try:
            with _saying_why(building, warehouse):
                with duckdb.connect(building.database) as connection:
                    record_published(create_raw_schema(connection, warehouse), building.folder, warehouse)
                yield building
                with duckdb.connect(building.database) as connection:
                    connection.execute("CHECKPOINT")
            _switch(warehouse, building, name)
        finally:
            shutil.rmtree(building.folder, ignore_errors=True)


@contextmanager
def _saying_why(building: Publication, warehouse: Warehouse) -> Iterator[None]:
    """Name the damaged file or the full disk behind what DuckDB and dbt report."""
    try:
        yield
    except (duckdb.Error, EveError, OSError) as error:
        if is_out_of_room(error):
            raise unwritable(building.database, "no space left on the disk") from error
        if damaged := next(damaged_files(warehouse), None):
            raise damaged from error
        raise


def _switch(warehouse: Warehouse, building: Publication, name: str) -> None:
    folder = building.folder.rename(warehouse.publications / name)
    link = warehouse.database.with_name(f".{warehouse.database.name}.{folder.name}")
    link.symlink_to((folder / building.database.name).relative_to(warehouse.home))
    link.replace(warehouse.database)
    for outdated in outdated_publications(warehouse):
        shutil.rmtree(outdated)


def outdated_publications(warehouse: Warehouse) -> list[Path]:
    """Return the publications before the last three, oldest first; never the one that the link leads to."""
    published = sorted(path for path in warehouse.publications.glob("[!.]*") if path != warehouse.database.resolve().parent)
    return published[: -(KEPT - 1)]


def publish(warehouse: Warehouse, settings: Settings) -> Path:
    """Build all SQL models, test them, and return the published database's file.

    Raises:
        EveError: a model or a test of error severity failed, or a Parquet file cannot be used; nothing is published.
    """
    with loaded_dbt(Publication.building(warehouse, settings)) as dbt:
        return publish_with(dbt, warehouse, settings)


def publish_with(dbt: "Dbt", warehouse: Warehouse, settings: Settings) -> Path:
    """Publish as `publish` does, with a dbt that was started before."""
    with publication(warehouse, settings):
        dbt.wait()
        dbt.build()
    return warehouse.database.resolve()


@dataclass(frozen=True)
class Dbt:
    """A process in which dbt is loaded and has parsed the project by the time it is to build."""

    process: subprocess.Popen[str]
    building: Publication

    def wait(self) -> None:
        """Return when dbt can build at once."""
        assert self.process.stdout  # noqa: S101 - it is a pipe
        for line in self.process.stdout:
            if line.strip() == READY:
                return

    def build(self) -> None:
        """Build all models and run their tests.

        Raises:
            EveError: a model or test of error severity failed; it is named.
        """
        results = self.building.target / "run_results.json"
        results.unlink(missing_ok=True)
        output, _ = self.process.communicate("build\n")
        _check(self.process.returncode, results, output, self.building)


@contextmanager
def loaded_dbt(building: Publication) -> Iterator[Dbt]:
    """Start dbt in a process of its own, which loads while the block runs, and ends with it."""
    command = [sys.executable, "-m", "eve_pipeline.warehouse.dbt_process", "build", "--exclude-resource-type", "unit_test"]
    with subprocess.Popen(
        command,
        env={**os.environ, **building.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C is for the process that it serves
    ) as process:
        try:
            yield Dbt(process, building)
        finally:
            process.kill()


def run_dbt(building: Publication, *arguments: str) -> None:
    """Run a dbt command on a publication, in its own process: dbt keeps a connection open for as long as its process lives.

    Raises:
        EveError: the command failed; it names the models and tests that did.
    """
    results = building.target / "run_results.json"
    results.unlink(missing_ok=True)
    command = [sys.executable, "-m", "dbt.cli.main", "--no-use-colors", "--quiet", *arguments]
    finished = subprocess.run(command, env={**os.environ, **building.environment}, capture_output=True, text=True, check=False)
    _check(finished.returncode, results, finished.stdout.strip() or finished.stderr, building)


def _check(returncode: int, results: Path, output: str, building: Publication) -> None:
    if returncode:
        failed = _failures(results) or [output.strip()]
        raise EveError(f"dbt failed: {'; '.join(failed)}", f"See {building.log}; the last published database stays in place.")


def _failures(results: Path) -> list[str]:
    try:
        rows = json.loads(results.read_text(encoding="utf-8"))["results"]
    except (FileNotFoundError, ValueError):  # the disk may have been full before the whole of it was written
        return []
    return [f"{row['unique_id'].split('.')[2]} ({row['message']})" for row in rows if row["status"] in {"error", "fail"}]
