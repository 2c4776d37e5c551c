"""What servers say has answered: a model behind one name can change without a word."""

import polars as pl

from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_parts import IS_GOOD, stored_responses
from eve_pipeline.warehouse.tables import read_table

SERVED = ("served_model", "system_fingerprint")


def served_as(cell: Cell, settings: Settings) -> pl.DataFrame:
    """Return who gave the good replies to what the cell asks today.

    Returns:
        columns served_model, system_fingerprint, n, first_at and last_at, the earliest first.
    """
    warehouse = Warehouse.of(settings)
    requests, configs = (read_table(table, [warehouse.file(table, cell.model, cell.task)]) for table in ("requests", "configs"))
    current = requests.join(configs.filter("is_current"), on="config_digest", how="semi")
    good = stored_responses(current["request_key"], warehouse).filter(IS_GOOD)
    found = good.group_by(SERVED).agg(n=pl.len(), first_at=pl.min("created_at"), last_at=pl.max("created_at"))
    return found.sort("first_at", *SERVED)
