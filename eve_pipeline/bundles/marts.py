"""The marts of a bundle's tables, computed by the SQL models as for any publication, in an EVE_HOME of their own."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publish
from eve_pipeline.warehouse.tables import write_table

Tables = dict[str, pl.DataFrame]


@contextmanager
def unpacked(tables: Mapping[str, pl.DataFrame], settings: Settings) -> Iterator[Settings]:
    """Yield the settings of a temporary EVE_HOME with these tables and nothing else.

    Raises:
        EveError: a table does not keep its contract.
    """
    with tempfile.TemporaryDirectory(prefix="eve_bundle_") as folder:
        warehouse = Warehouse(Path(folder))
        for name, rows in tables.items():
            where = ("bundle", "bundle", "part-bundle") if name == "responses" else ("bundle",)
            write_table(rows, name, warehouse.file(name, *where))
        yield settings.model_copy(update={"home": warehouse.home})


def published_marts(settings: Settings, statistics: Path | None = None) -> Tables:
    """Publish and return all marts, ordered by all their columns; `statistics` holds intervals that were computed before.

    Raises:
        EveError: a model or a test of error severity failed.
    """
    warehouse = Warehouse.of(settings)
    if statistics:
        for folder in (statistics, warehouse.statistics.parent):  # whoever deleted the cache may export all the same
            folder.mkdir(parents=True, exist_ok=True)
        warehouse.statistics.symlink_to(statistics, target_is_directory=True)
    with duckdb.connect(publish(warehouse, settings), read_only=True) as connection:
        names = connection.sql("select table_name from duckdb_tables() where schema_name = 'marts' order by table_name").fetchall()
        return {name: connection.sql(f'from marts."{name}" order by all').pl() for (name,) in names}
