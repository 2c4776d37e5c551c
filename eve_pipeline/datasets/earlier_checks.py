"""What earlier runs found in a dataset's files, so that only new and changed files are read.

A file counts as unchanged while its size and its time of change (`mtime`, in nanoseconds) are the same, as git and make hold it: bytes
replaced by as many others with the time set back go unnoticed until the file of earlier checks is deleted, which costs a re-read and
nothing else.
"""

from collections.abc import Iterable
from pathlib import Path

import PIL
import polars as pl

from eve_pipeline.datasets.image_file import CHECK_SCHEMA, Check
from eve_pipeline.files import replacing

VERSION = "1"
"""To be raised whenever `ImageFolder.check` finds something else in the same bytes."""


class EarlierChecks:
    """The Parquet file of one dataset's earlier checks; those of another folder, program version or Pillow do not count."""

    def __init__(self, file: Path, root: Path) -> None:
        self.file = file
        self._made_by = {"root": str(root.resolve()), "version": VERSION, "pillow": PIL.__version__}

    def load(self) -> dict[str, Check]:
        """Return the checks of files that were read whole, by path; none where there is no such file or it is damaged."""
        return {check.path: check for check in map(Check._make, self._read().iter_rows())}

    def add(self, checks: Iterable[Check]) -> None:
        """Write new checks beside, or in place of, the earlier ones, all at once or not at all.

        What could not be read (missing, no permission) is not kept: its size and time would not tell that it is better.
        """
        new = to_frame(check for check in checks if check.sha256)
        if not new.is_empty():
            self._write(pl.concat([self._read(), new]).unique("path", keep="last", maintain_order=True))

    def _read(self) -> pl.DataFrame:
        try:
            with self.file.open("rb") as stream:  # opened once: metadata and rows of one version, though others replace the file
                found = pl.read_parquet_metadata(stream)
                stream.seek(0)
                if {name: found.get(name) for name in self._made_by} == self._made_by:
                    return pl.read_parquet(stream).match_to_schema(CHECK_SCHEMA)
        except (OSError, pl.exceptions.PolarsError):
            pass
        return CHECK_SCHEMA.to_frame()

    def _write(self, checks: pl.DataFrame) -> None:
        with replacing(self.file) as temporary:
            checks.write_parquet(temporary, metadata=self._made_by)


def to_frame(checks: Iterable[Check]) -> pl.DataFrame:
    """Return one row a check."""
    return pl.DataFrame(list(checks), schema=CHECK_SCHEMA, orient="row")
