"""How much of a cell is asked."""

from typing import Final, NamedTuple, Self

import polars as pl

from eve_pipeline.responses.cells import Cell
from eve_pipeline.vlms.registry import ModelEntry
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table


class Extent(NamedTuple):
    """All images, or the `limit` whose hashes come first, each `repeats` times."""

    repeats: int = 1
    limit: int | None = None

    @classmethod
    def of(cls, configs: pl.DataFrame) -> Self | None:
        """Return how much was asked with the current rows of `configs`; None where there are none, or none that say."""
        rows = configs.filter(pl.col("is_current") & pl.col("n_repeats").is_not_null()).select("n_repeats", "image_limit")
        return cls(*rows.row(0)) if rows.height else None

    def widened(self, other: "Extent | None") -> "Extent":
        """Return the smallest extent that holds both."""
        if other is None:
            return self
        limits = [limit for limit in (self.limit, other.limit) if limit is not None]
        return Extent(max(self.repeats, other.repeats), max(limits) if len(limits) == len((self, other)) else None)


WHOLE: Final = Extent()


def last_extent(cell: Cell, entry: ModelEntry, warehouse: Warehouse) -> Extent:
    """Return how much of the cell was asked when it was last planned; once and whole where that is not known.

    Once, too, where its model now gives the same answer each time.
    """
    extent = Extent.of(read_table("configs", [warehouse.file("configs", cell.model, cell.task)])) or WHOLE
    return extent._replace(repeats=1) if entry.is_greedy else extent
