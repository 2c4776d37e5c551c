"""Write the results of some cells, as they were last published, to one file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

import duckdb
import polars as pl

from eve_pipeline.bundles.archive import described, write_bundle
from eve_pipeline.bundles.contents import Format, to_bytes
from eve_pipeline.bundles.manifest import TABLES, Manifest, Selection, describe
from eve_pipeline.bundles.marts import Tables, published_marts, unpacked
from eve_pipeline.errors import EveError
from eve_pipeline.settings import PROJECT, Settings
from eve_pipeline.vlms.secrets import secret_values
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse

OF_CELLS = "semi join chosen using (model, dataset, subset, prompt)"
OF_IMAGES = f"""semi join (
    (from raw.requests {OF_CELLS} select dataset, image_id)
    union (from raw.benchmark_items semi join chosen using (dataset, subset) select dataset, image_id)
) using (dataset, image_id)"""
ROWS = {
    "images": OF_IMAGES,
    "classifier_scores": OF_IMAGES,
    "benchmark_items": "semi join chosen using (dataset, subset)",
    "configs": "semi join chosen using (model, subset, prompt)",
    "requests": OF_CELLS,
    "responses": f"semi join (from raw.requests {OF_CELLS} select request_key) using (request_key)",
    "answers": OF_CELLS,
}


class Exported(NamedTuple):
    """What a bundle came to."""

    manifest: Manifest
    n_cells: int


def export(path: Path, selection: Selection, settings: Settings, file_format: Format = "parquet") -> Exported:
    """Write the bundle and return what is in it.

    The marts are computed from the bundle's own tables, so that comparisons are among its cells alone.

    Raises:
        EveError: the file exists, nothing was published, a key is not in the publication, or a test of the SQL models fails.
    """
    if path.exists():
        raise EveError(f"{path} exists", "Name another file, or remove it.")
    warehouse = Warehouse.of(settings)
    if not warehouse.database.exists():
        raise EveError("There is no published database", "Run eve publish, or eve run.")
    database = warehouse.database.resolve()
    with _opened(database) as connection:
        cells = _chosen(connection, selection)
        tables = {name: scrubbed(rows, settings) for name, rows in _tables(connection, cells).items()}
    with unpacked(tables, settings) as temporary:
        marts = published_marts(temporary, warehouse.statistics)
    frames = {f"tables/{name}": rows for name, rows in tables.items() if name != "classifier_scores" or rows.height}
    frames |= {f"marts/{name}": rows for name, rows in marts.items()}
    contents = {f"{name}.{file_format}": to_bytes(rows, file_format) for name, rows in frames.items()}
    files = {f"{name}.{file_format}": described(contents[f"{name}.{file_format}"], rows.height) for name, rows in frames.items()}
    manifest = describe(tables, files, selection, database.parent.name, file_format)
    write_bundle(path, contents, manifest)
    return Exported(manifest, cells.height)


@contextmanager
def _opened(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        with duckdb.connect(database, read_only=True) as connection:
            yield connection
    except duckdb.Error as error:
        raise EveError(f"The published database cannot be read: {error}", "Run eve publish, then export again.") from error


def _chosen(connection: duckdb.DuckDBPyConnection, selection: Selection) -> pl.DataFrame:
    """Return the cells (model, dataset, subset, prompt) that are selected."""
    cells: pl.DataFrame = connection.sql("select distinct model, dataset, subset, prompt from raw.requests order by all").pl()
    for column, keys in selection.model_dump().items():
        if unknown := [key for key in keys if key not in cells[column]]:
            known = ", ".join(cells[column].unique().sort()) or "none"
            raise EveError(f"There are no published results of {column} {unknown[0]!r}", f"There are results of: {known}.")
    chosen = cells.filter([pl.col(column).is_in(keys) for column, keys in selection.model_dump().items() if keys] or pl.lit(value=True))
    if chosen.is_empty():
        raise EveError("Nothing that is published is selected", "Name a model, dataset, subset and prompt that were asked together.")
    return chosen


def _tables(connection: duckdb.DuckDBPyConnection, cells: pl.DataFrame) -> Tables:
    connection.register("chosen", cells)
    return {name: contracts()[name].conform(connection.sql(f"from raw.{name} {ROWS[name]} order by all").pl()) for name in TABLES}


def scrubbed(rows: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Return the rows with `***` for each secret that is known here, and without what tells of this machine's folders.

    An image outside its dataset's folder keeps its file's name; in errors, the folders of this machine are `...`.
    """
    texts = [name for name, dtype in rows.schema.items() if dtype == pl.String]
    clean = rows.with_columns(_without(name, dict.fromkeys(secret_values(settings), "***")) for name in texts)
    if "error" in clean.columns:
        folders = sorted({str(settings.home), str(PROJECT), str(Path.home())} - {"/"}, key=len, reverse=True)
        clean = clean.with_columns(_without("error", dict.fromkeys(folders, "...")))
    if "path" in clean.columns:
        clean = clean.with_columns(path=pl.Series([_relative(path) for path in clean["path"]], dtype=pl.String))
    return clean


def _without(column: str, replaced: Mapping[str, str]) -> pl.Expr:
    return pl.col(column).str.replace_many(dict(replaced), leftmost=True) if replaced else pl.col(column)


def _relative(path: str) -> str:
    is_inside = not (PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute() or ".." in PurePosixPath(path).parts)
    return path if is_inside else PureWindowsPath(path).name
