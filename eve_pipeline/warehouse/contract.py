"""Table contracts: the columns, types, units and meanings that every write is checked against."""

import re
from functools import cache
from pathlib import Path

import duckdb
import polars as pl
from pydantic import BaseModel, ConfigDict

from eve_pipeline.errors import EveError
from eve_pipeline.registry import read_yaml

FOLDER = Path(__file__).parent / "contracts"

POLARS_TYPES: dict[str, pl.DataType] = {
    "BIGINT": pl.Int64(),
    "BOOLEAN": pl.Boolean(),
    "DOUBLE": pl.Float64(),
    "TIMESTAMP WITH TIME ZONE": pl.Datetime("us", "UTC"),
    "VARCHAR": pl.String(),
}


def _polars_type(sql_type: str) -> pl.DataType:
    if sql_type.endswith("[]"):
        return pl.List(_polars_type(sql_type[:-2]))
    if fields := re.fullmatch(r"STRUCT\((.*)\)", sql_type):
        pairs = (field.strip().split(" ", 1) for field in fields[1].split(","))
        return pl.Struct({name: _polars_type(kind) for name, kind in pairs})
    return POLARS_TYPES[sql_type]


class Column(BaseModel):
    """One column: its DuckDB type, whether it may be NULL, its unit and what it means.

    `derived` is an SQL expression of the other columns: every write computes it, and so does whoever reads files that lack it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str
    meaning: str
    nullable: bool = False
    unit: str | None = None
    derived: str | None = None

    @property
    def dtype(self) -> pl.DataType:
        """The polars type."""
        return _polars_type(self.type)


class Contract(BaseModel):
    """What a table's files must hold; `key` is the table's grain, empty where rows may repeat."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    version: int
    meaning: str
    key: tuple[str, ...]
    columns: dict[str, Column]

    @property
    def polars_schema(self) -> pl.Schema:
        """The polars schema."""
        return pl.Schema({name: column.dtype for name, column in self.columns.items()})

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the frame with the contract's columns, in order and of its types.

        Nullable columns that are absent are added as NULL.

        Raises:
            EveError: a column is absent, unknown, of another type, NULL where it must not be, or the key repeats.
        """
        absent = [name for name, column in self.columns.items() if name not in frame.columns and not column.nullable]
        unknown = [name for name in frame.columns if name not in self.columns]
        if absent or unknown:
            raise self._broken(f"columns absent: {absent or 'none'}, unknown: {unknown or 'none'}")
        try:
            full = frame.with_columns(pl.lit(None).alias(name) for name in self.columns if name not in frame.columns)
            conformed = self._with_derived(full.select(pl.col(name).cast(dtype) for name, dtype in self.polars_schema.items()))
        except pl.exceptions.PolarsError as error:
            raise self._broken(str(error)) from error
        nulls = [name for name, column in self.columns.items() if not column.nullable and conformed[name].has_nulls()]
        if nulls:
            raise self._broken(f"NULL in {nulls}")
        if self.key and conformed.select(self.key).is_duplicated().any():
            repeated = conformed.filter(conformed.select(self.key).is_duplicated()).select(self.key).row(0)
            raise self._broken(f"rows repeat the key {self.key}, first {repeated}")
        return conformed

    def _with_derived(self, frame: pl.DataFrame) -> pl.DataFrame:
        columns = [f'{column.derived} AS "{name}"' for name, column in self.columns.items() if column.derived]
        if not columns:
            return frame
        with _engine().cursor() as connection:
            return frame.with_columns(connection.from_arrow(frame.to_arrow()).project(", ".join(columns)).pl())

    def _broken(self, problem: str) -> EveError:
        return EveError(
            f"A frame does not keep the contract of table {self.table!r} (version {self.version}): {problem}",
            f"See {FOLDER / self.table}.yaml for what the table holds.",
        )


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """Return an empty database, which takes longer to open than most tables to derive; each caller needs a cursor of its own."""
    return duckdb.connect()


@cache
def contracts() -> dict[str, Contract]:
    """Return the contract of every table by name."""
    files = sorted(FOLDER.glob("*.yaml"))
    return {file.stem: Contract.model_validate({"table": file.stem, **_mapping(file)}) for file in files}


def _mapping(file: Path) -> dict[str, object]:
    content = read_yaml(file)
    assert isinstance(content, dict)  # noqa: S101 - shipped with the package and tested
    return content
