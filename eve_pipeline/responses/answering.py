"""Read the replies of a cell: from `requests`, `responses` and `configs` to `answers`."""

import os
import time

import polars as pl

from eve_pipeline.answers.embeddings import Embedder
from eve_pipeline.answers.reading import parser_versions, read_answers
from eve_pipeline.errors import EveError
from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_index import MERGED
from eve_pipeline.warehouse.response_parts import stored_responses
from eve_pipeline.warehouse.tables import read_table, write_table


def is_planned(cell: Cell, warehouse: Warehouse) -> bool:
    """Return whether the cell has requests, answered or not."""
    return warehouse.file("requests", cell.model, cell.task).exists()


def answer_cell(cell: Cell, settings: Settings) -> pl.DataFrame:
    """Write and return the cell's rows of `answers`, one a request, from what is stored; no model is asked.

    The file's mtime is when the reading began: whatever came since then makes it outdated, also where a slow reader writes last.

    Raises:
        EveError: the cell was never planned.
    """
    warehouse = Warehouse.of(settings)
    if not is_planned(cell, warehouse):
        raise EveError(f"{cell} was never asked", "Materialize its responses first, or use eve run.")
    began_ns = time.time_ns()
    requests, configs = (read_table(table, [warehouse.file(table, cell.model, cell.task)]) for table in ("requests", "configs"))
    answers = read_answers(requests, stored_responses(requests["request_key"], warehouse), configs, Embedder(settings))
    write_table(answers, "answers", warehouse.file("answers", cell.model, cell.task), as_of_ns=began_ns)
    return answers


def answer_outdated_cells(settings: Settings) -> list[Cell]:
    """Read again, and return, the cells whose answers are absent, older than their requests or replies, or of another parser."""
    warehouse, embedder = Warehouse.of(settings), Embedder(settings)
    planned = [Cell.of(file.parent.name, file.stem) for file in warehouse.files("requests")]
    outdated = [cell for cell in planned if _is_outdated(cell, warehouse, embedder)]
    for cell in outdated:
        answer_cell(cell, settings)
    return outdated


def _is_outdated(cell: Cell, warehouse: Warehouse, embedder: Embedder) -> bool:
    answers = warehouse.file("answers", cell.model, cell.task)
    if not answers.exists():
        return True
    read_at = answers.stat().st_mtime_ns
    if _appeared_ns(warehouse.file("requests", cell.model, cell.task).stat()) > read_at or _newest_part_ns(cell, warehouse) > read_at:
        return True
    configs = read_table("configs", [warehouse.file("configs", cell.model, cell.task)])
    versions = configs.select("config_digest", "is_open", version=parser_versions(configs, embedder))
    read = read_table("answers", [answers]).select("config_digest", "parser_version").unique()
    compared = read.join(versions, on="config_digest", how="left")
    return not compared.filter(pl.col("parser_version").ne_missing(pl.col("version"))).is_empty()


def _newest_part_ns(cell: Cell, warehouse: Warehouse) -> int:
    """Return when the cell's last part appeared, 0 without any; a merged part is as old as the newest that it replaces."""
    folder = warehouse.folder("responses") / cell.model / cell.task
    if not folder.is_dir():
        return 0
    with os.scandir(folder) as entries:  # a path object for each of 60,000 parts takes longer than asking for its time
        parts = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith(".parquet")]
    return max((stat.st_mtime_ns if name.startswith(MERGED) else _appeared_ns(stat) for name, stat in parts), default=0)


def _appeared_ns(stat: os.stat_result) -> int:
    return max(stat.st_mtime_ns, stat.st_ctime_ns)  # a file is renamed, which sets its ctime alone, some time after it was written
