"""Where everything under EVE_HOME lives."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ulid import ULID

from eve_pipeline.settings import Settings


@dataclass(frozen=True)
class Warehouse:
    """The folders of one EVE_HOME."""

    home: Path

    @classmethod
    def of(cls, settings: Settings) -> "Warehouse":
        """Return the warehouse of the settings' EVE_HOME."""
        return cls(settings.home)

    def folder(self, table: str) -> Path:
        """The folder of a table's Parquet files."""
        return self.home / "warehouse" / table

    def file(self, table: str, *names: str) -> Path:
        """The Parquet file of a table for a dataset (`images`, `sample`) or a cell (`answers`, model, task)."""
        *folders, name = names
        return self.folder(table).joinpath(*folders, f"{name}.parquet")

    def files(self, table: str) -> list[Path]:
        """Return all Parquet files of a table, in order of path."""
        return sorted(self.folder(table).rglob("*.parquet"))

    @property
    def journals(self) -> Path:
        """Replies of runs that have not been folded into `responses` yet."""
        return self.home / "journals"

    @property
    def invitations(self) -> Path:
        """Hashes of the tokens of annotators; readable by its owner alone."""
        return self.home / "invitations.json"

    @property
    def batches(self) -> Path:
        """Records of batches that were handed to a provider and not collected yet."""
        return self.home / "batches"

    def earlier_checks(self, dataset: str) -> Path:
        """What was found in the files of a dataset; deleting it costs reading them all again."""
        return self.home / "cache" / "image_checks" / f"{dataset}.parquet"

    def trainings(self, dataset: str) -> Path:
        """What the trainings that score a dataset have done and found; deleting it costs training again."""
        return self.home / "cache" / "trainings" / dataset

    def response_index(self, model: str, task: str) -> Path:
        """Which part of a cell folder holds which response; deleting it costs reading their keys again."""
        return self.home / "cache" / "response_index" / model / f"{task}.parquet"

    def embeddings(self, model_digest: str) -> Path:
        """The vectors of all texts that an embedding model has met; deleting it costs embedding them again."""
        return self.home / "cache" / "embeddings" / f"{model_digest}.parquet"

    @property
    def statistics(self) -> Path:
        """Intervals and tests that were computed before; deleting it costs computing them again."""
        return self.home / "cache" / "statistics"

    @property
    def published_at(self) -> datetime | None:
        """When the publication of today began to read the tables; None before the first."""
        return ULID.from_str(self.database.resolve().parent.name).datetime if self.database.exists() else None

    @property
    def publications(self) -> Path:
        """One folder a published database."""
        return self.home / "published"

    @property
    def database(self) -> Path:
        """Link to the newest published database."""
        return self.home / "eve.duckdb"

    @property
    def report(self) -> Path:
        """The results as one HTML file."""
        return self.home / "report.html"

    @property
    def checks(self) -> Path:
        """What was last found in each table, one JSON file a partition; deleting it costs the comparison with earlier figures."""
        return self.home / "checks"

    @property
    def checks_page(self) -> Path:
        """The checks as one HTML page."""
        return self.checks / "index.html"

    def lock(self, *names: str) -> Path:
        """The lock file of a cell or of publishing; its folder exists."""
        path = self.home.joinpath("locks", *names).with_name(f"{names[-1]}.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
