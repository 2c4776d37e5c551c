"""A small EVE_HOME to be spoiled, and what is asked of it."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl

from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table
from tests.chat_server import ChatServer

N_IMAGES = 24
CELL = ("served", "photos.simple")
RUN = ("run", "--model", "served", "--dataset", "photos", "--prompt")


class Home(NamedTuple):
    """An EVE_HOME with one cell of the dataset `photos` answered and published, and where its images and its server are."""

    path: Path
    photographs: Path
    server: ChatServer

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse.of(Settings(home=self.path))

    def published(self) -> tuple[Path, int]:
        """Where the link leads, and how many answers a reader sees there."""
        with duckdb.connect(self.warehouse.database, read_only=True) as connection:
            row = connection.execute("SELECT count(*) FROM raw.answers").fetchone()
        assert row
        return self.warehouse.database.resolve(), row[0]

    def n_kept(self) -> int:
        """Replies in journals and in `responses`."""
        lines = sum(file.read_bytes().count(b"\n") for file in self.warehouse.journals.glob("*.jsonl"))
        return lines + self.rows("responses").height

    def rows(self, table: str) -> pl.DataFrame:
        return read_table(table, self.warehouse.files(table))


def copied(prepared: Home, path: Path, images: Path) -> Home:
    """Copy a home to a path, and its photographs into a folder."""
    shutil.copytree(prepared.path, path, symlinks=True)
    photographs = images / "photographs"
    shutil.copytree(prepared.photographs, photographs)
    entry = path / "datasets" / "photos.yaml"
    entry.write_text(entry.read_text().replace(str(prepared.photographs), str(photographs)))
    return Home(path, photographs, prepared.server)


def told(done: subprocess.CompletedProcess[str]) -> str:
    """What a command that failed said, without the breaks of lines; it is no traceback."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return "".join(done.stderr.split())
