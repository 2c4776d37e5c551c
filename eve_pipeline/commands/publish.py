"""`eve publish`: build the database that everybody reads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from eve_pipeline.settings import Settings
from eve_pipeline.terminal import explained


@explained
def publish() -> None:
    """Build eve.duckdb from the Parquet tables and the SQL models, test it, and switch to it."""
    publish_and_tell(Settings())


def publish_and_tell(settings: Settings) -> None:
    """Read again what is outdated, publish, and say where."""
    with publishing(settings) as publish_now:
        publish_now()


@contextmanager
def publishing(settings: Settings) -> Iterator[Callable[[], None]]:
    """Load dbt while the block runs; it gets a function that reads again what is outdated, publishes, and says where."""
    from eve_pipeline.responses.answering import answer_outdated_cells
    from eve_pipeline.warehouse.paths import Warehouse
    from eve_pipeline.warehouse.publish import Publication, loaded_dbt, publish_with

    warehouse = Warehouse.of(settings)
    with loaded_dbt(Publication.building(warehouse, settings)) as dbt:

        def publish_now() -> None:
            answer_outdated_cells(settings)
            publish_with(dbt, warehouse, settings)
            Console().print(f"Published {warehouse.database}")

        yield publish_now
