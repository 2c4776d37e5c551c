"""`eve publish`: build the database that everybody reads."""

from rich.console import Console

from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained


@explained
def publish() -> None:
    """Build eve.duckdb from the Parquet tables and the SQL models, test it, and switch to it."""
    publish_and_tell(Settings())


def publish_and_tell(settings: Settings) -> None:
    """Read again what is outdated, publish, and say where."""
    from eve_pipeline.responses.answering import answer_outdated_cells
    from eve_pipeline.warehouse.paths import Warehouse
    from eve_pipeline.warehouse.publish import publish as build

    answer_outdated_cells(settings)
    build(Warehouse.of(settings), settings)
    Console().print(f"Published {Warehouse.of(settings).database}")
