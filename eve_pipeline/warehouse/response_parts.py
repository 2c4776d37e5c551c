"""The append-only `responses`: immutable parts per cell folder, resolved to one row a key when they are read."""

from collections.abc import Collection
from pathlib import Path

import polars as pl

from eve_pipeline.errors import EveError
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_index import cell_folders, folder_index, read_parts
from eve_pipeline.warehouse.tables import read_table

IS_GOOD = pl.col("delivery") != "error"
CREATED = pl.col("created_at").to_physical()


def unanswered(requests: pl.DataFrame, warehouse: Warehouse, cells: Collection[tuple[str, str]] = ()) -> pl.DataFrame:
    """Return the rows of `requests` (any columns, among them request_key) whose key has no good response, each key once.

    Folders are asked until all keys are found: those of `cells` (model and task) first, for most answers lie there.

    Raises:
        EveError: a part is damaged or newer than this program; it is named.
    """
    missing = requests.unique("request_key", maintain_order=True)
    first = [warehouse.folder("responses") / model / task for model, task in cells]
    for folder in cell_folders(warehouse, first):
        if missing.is_empty():
            break
        good = folder_index(folder, warehouse).rows.filter("is_good").select("request_key")
        missing = missing.join(good, on="request_key", how="anti", maintain_order="left")
    return missing


def stored_responses(request_keys: pl.Series, warehouse: Warehouse, *, needed_alone: bool = False) -> pl.DataFrame:
    """Return one row of `responses` for each key that has any: the earliest good one, else the latest error.

    With `needed_alone`, damage in the folder of a cell that makes none of these requests is passed by.

    Raises:
        EveError: a part is damaged or newer than this program; it is named.
    """
    wanted = request_keys.unique().to_frame("request_key")
    stored_in = _stored_in_if_requested if needed_alone else _stored_in
    found = [stored_in(folder, wanted, warehouse) for folder in cell_folders(warehouse)]
    rows = pl.concat([contracts()["responses"].polars_schema.to_frame(), *found])
    order = pl.when(IS_GOOD).then(CREATED).otherwise(-CREATED)
    return rows.sort(~IS_GOOD, order, maintain_order=True).unique("request_key", keep="first", maintain_order=True)


def visible_parts(warehouse: Warehouse, model: str | None = None) -> dict[Path, int]:
    """Return every part, or those in one model's folders, that no merged part hides, with its contract's version."""
    return {
        folder / name: part.version
        for folder in cell_folders(warehouse)
        if model in {None, folder.parent.name}
        for name, part in sorted(folder_index(folder, warehouse).parts.items())
    }


def holding_folders(request_keys: pl.Series, warehouse: Warehouse) -> pl.DataFrame:
    """Return the folders in which responses to these requests lie: request_key, folder.

    Raises:
        EveError: a part is damaged or newer than this program; it is named.
    """
    wanted = request_keys.unique().to_frame("request_key")
    found = [
        folder_index(folder, warehouse).rows.join(wanted, on="request_key", how="semi").select("request_key", folder=pl.lit(str(folder)))
        for folder in cell_folders(warehouse)
    ]
    return pl.concat([pl.DataFrame(schema={"request_key": pl.String, "folder": pl.String}), *found])


def _stored_in_if_requested(folder: Path, wanted: pl.DataFrame, warehouse: Warehouse) -> pl.DataFrame:
    try:
        return _stored_in(folder, wanted, warehouse)
    except EveError:
        if _is_requested(wanted, folder, warehouse):
            raise
        return contracts()["responses"].polars_schema.to_frame()


def _is_requested(wanted: pl.DataFrame, folder: Path, warehouse: Warehouse) -> bool:
    """Return whether a folder's cell makes any of these requests."""
    try:
        requests = read_table("requests", [warehouse.file("requests", folder.parent.name, folder.name)])
    except EveError:  # is that cell's to say too
        return False
    return not requests.join(wanted, on="request_key", how="semi").is_empty()


def _stored_in(folder: Path, wanted: pl.DataFrame, warehouse: Warehouse) -> pl.DataFrame:
    while True:
        holding = folder_index(folder, warehouse).rows.join(wanted, on="request_key", how="semi")["part"].unique().sort()
        if holding.is_empty():
            return contracts()["responses"].polars_schema.to_frame()
        paths = [folder / name for name in holding]
        try:
            return read_parts(paths, lambda rows: rows.drop("part").join(wanted.lazy(), on="request_key", how="semi"))
        except EveError:
            if all(path.exists() for path in paths):
                raise  # else compaction has removed one since the index was read; what replaces it is there
