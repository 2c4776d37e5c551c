"""Read the replies of a cell: from `requests`, `responses` and `configs` to `answers`."""

import polars as pl

from eve_pipeline.answers.reading import read_answers
from eve_pipeline.errors import EveError
from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_parts import stored_responses
from eve_pipeline.warehouse.tables import read_table, write_table


def is_planned(cell: Cell, warehouse: Warehouse) -> bool:
    """Return whether the cell has requests, answered or not."""
    return warehouse.file("requests", cell.model, cell.task).exists()


def answer_cell(cell: Cell, settings: Settings) -> pl.DataFrame:
    """Write and return the cell's rows of `answers`, one a request, from what is stored; no model is asked.

    Raises:
        EveError: the cell was never planned.
    """
    warehouse = Warehouse.of(settings)
    if not is_planned(cell, warehouse):
        raise EveError(f"{cell} was never asked", "Materialize its responses first, or use eve run.")
    requests, configs = (read_table(table, [warehouse.file(table, cell.model, cell.task)]) for table in ("requests", "configs"))
    answers = read_answers(requests, stored_responses(requests["request_key"], warehouse), configs)
    write_table(answers, "answers", warehouse.file("answers", cell.model, cell.task))
    return answers
