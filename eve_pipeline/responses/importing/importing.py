"""Put another tool's replies into the tables of a cell, under a model key of their own."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl
import rfc8785
from ulid import ULID

from eve_pipeline.emotions.affect import sentiments
from eve_pipeline.emotions.label_sets import resolve_labels
from eve_pipeline.errors import EveError
from eve_pipeline.files import replacing, sha256_of_file
from eve_pipeline.prompts.rendering import asked_labels, render
from eve_pipeline.prompts.variants import PromptVariant, prompt_variant
from eve_pipeline.registry import pick
from eve_pipeline.responses.answering import answer_cell
from eve_pipeline.responses.cells import Cell, subset_datasets
from eve_pipeline.responses.importing.matching import match_images
from eve_pipeline.responses.importing.reading import read_rows
from eve_pipeline.responses.importing.rows import Columns
from eve_pipeline.responses.keys import KEY_VERSION, config_digest
from eve_pipeline.responses.locks import cell_lock
from eve_pipeline.responses.planning import subset_items
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_parts import stored_responses
from eve_pipeline.warehouse.tables import read_table, write_table

ORIGIN = "imported"
DIGITS = 12


class Imported(NamedTuple):
    """What an import came to.

    `unmatched` holds number, image and problem of the rows that went nowhere, `unmatched_file` all of them as CSV; `answers` are the
    cell's, `n_images` the images of its subset, of which `n_named` have a row; `n_new` replies were not stored before.
    """

    cell: Cell
    n_rows: int
    n_new: int
    n_images: int
    n_named: int
    unmatched: pl.DataFrame
    unmatched_file: Path | None
    answers: pl.DataFrame


def import_file(file: Path, cell: Cell, settings: Settings, columns: Columns = Columns()) -> Imported:  # noqa: B008 - immutable
    """Store the rows of a file that name an image of the cell's subset, and read them into `answers`.

    A later import of the same cell makes earlier ones history; the same file again changes nothing.

    Raises:
        EveError: the file cannot be read, none of its rows names an image of the subset, the subset is not prepared, the prompt is a
            family of label orders, or another process holds the cell.
    """
    warehouse, prompt = Warehouse.of(settings), prompt_variant(cell.prompt, settings)
    with cell_lock(cell, settings):
        items = subset_items(cell.subset, warehouse)
        rows = _with_texts(read_rows(file, columns), prompt)
        matched = _matched(rows, items, warehouse)
        config = _config(file, cell, columns, prompt, settings)
        unmatched = matched.filter(pl.col("image_id").is_null()).select("number", "image", "problem")
        listed = _list_unmatched(unmatched, cell, config["config_digest"][0], warehouse)
        requests = _requests(matched, items, config)
        if requests.is_empty():
            raise _nothing_matched(file, unmatched, items, warehouse)
        n_new = _write(requests, config, cell, warehouse)
        answers = answer_cell(cell, settings).filter("is_current")
    return Imported(cell, rows.height, n_new, items.height, requests["image_id"].n_unique(), unmatched, listed, answers)


def _with_texts(rows: pl.DataFrame, prompt: PromptVariant) -> pl.DataFrame:
    """Return the rows with a label as the text of the reply that the prompt asks for."""
    reply = pl.struct(pl.col("label").str.strip_chars().alias(prompt.answer_key)).struct.json_encode()
    return rows.with_columns(text=pl.when(pl.col("label").is_not_null()).then(reply).otherwise("text")).drop("label")


def _matched(rows: pl.DataFrame, items: pl.DataFrame, warehouse: Warehouse) -> pl.DataFrame:
    datasets = items["dataset"].unique().to_list()
    images, rejected = (
        read_table(table, [warehouse.file(table, dataset) for dataset in datasets]) for table in ("images", "rejected_images")
    )
    return match_images(rows, images, items, rejected)


def _config(file: Path, cell: Cell, columns: Columns, prompt: PromptVariant, settings: Settings) -> pl.DataFrame:
    """Return the row of `configs` that stands for this file as it is read here."""
    if prompt.is_family:
        raise EveError(
            f"Prompt {prompt.key!r} asks about each image in many label orders, and a file does not say in which",
            "Import it under another prompt, one that resembles what the tool asked.",
        )
    dataset = pick(subset_datasets(settings), cell.subset, "subset")
    labels = asked_labels(prompt, resolve_labels(dataset.labels, settings))
    if labels is None:
        raise EveError(f"{cell}: the dataset lacks some of the labels {', '.join(prompt.labels or ())}", "Import under another prompt.")
    digest, (rendered,) = sha256_of_file(file), render(prompt, labels, sentiments(settings))
    how = {"file": digest, "dataset": dataset.key, "key_version": KEY_VERSION, **cell._asdict()}
    canonical = rfc8785.dumps({ORIGIN: how | {name: column for name, column in columns._asdict().items() if column}}).decode()
    row = cell._asdict() | {
        "config_digest": config_digest(canonical),
        "key_version": KEY_VERSION,
        "model_id": cell.model,
        "model_revision": f"{ORIGIN} {digest[:DIGITS]}",
        "prompt_revision": prompt.revision,
        "answer_key": prompt.answer_key,
        "explanation_key": prompt.explanation_key,
        "confidence_key": prompt.confidence_key,
        "is_open": prompt.is_open,
        "persona": prompt.persona,
        "label_order": rendered.label_order,
        "labels": labels,
        "rendered_prompt": rendered.text,
        "parameters": canonical,
        "is_current": True,
    }
    return pl.DataFrame([row], schema=contracts()["configs"].polars_schema)


def _requests(matched: pl.DataFrame, items: pl.DataFrame, config: pl.DataFrame) -> pl.DataFrame:
    """Return the matched rows with the columns of `requests`; several rows of an image are its repeats, in their order."""
    found = matched.drop_nulls("image_id").join(items.drop("label"), on="image_id", maintain_order="left")
    repeats = pl.int_range(pl.len(), dtype=pl.Int64).over("dataset", "image_id")
    asked = found.join(config.select("config_digest", "model", "subset", "prompt"), how="cross").with_columns(
        repeat=repeats, origin=pl.lit(ORIGIN), place=pl.int_range(pl.len()).over("number")
    )
    with duckdb.connect() as connection:
        connection.register("asked", asked)
        keyed: pl.DataFrame = connection.sql(
            "select *, sha256(config_digest || '/' || number || '/' || place) as request_key from asked order by number, place"
        ).pl()
        return keyed


def _write(requests: pl.DataFrame, config: pl.DataFrame, cell: Cell, warehouse: Warehouse) -> int:
    """Write the cell's configs, requests and those replies that are not stored yet; return how many those are."""
    names = {table: contracts()[table].polars_schema.names() for table in ("configs", "requests", "responses")}
    files = {table: warehouse.file(table, cell.model, cell.task) for table in ("configs", "requests")}
    earlier = {table: read_table(table, [file]).join(config, on="config_digest", how="anti") for table, file in files.items()}
    history = earlier["configs"].with_columns(is_current=pl.lit(value=False))
    stored = stored_responses(requests["request_key"], warehouse)
    new = requests.join(stored, on="request_key", how="anti", maintain_order="left").with_columns(
        attempts=pl.lit(1), created_at=pl.lit(datetime.now(UTC))
    )
    write_table(pl.concat([config, history]), "configs", files["configs"])
    write_table(pl.concat([requests.select(names["requests"]), earlier["requests"]]), "requests", files["requests"])
    if not new.is_empty():
        part = warehouse.file("responses", cell.model, cell.task, f"part-{str(ULID()).lower()}")
        write_table(new.select(name for name in names["responses"] if name in new.columns), "responses", part)
    return new.height


def _list_unmatched(unmatched: pl.DataFrame, cell: Cell, digest: str, warehouse: Warehouse) -> Path | None:
    if unmatched.is_empty():
        return None
    path = warehouse.home / "imports" / cell.model / f"{cell.task}-{digest[:DIGITS]}-unmatched.csv"
    with replacing(path) as temporary:
        unmatched.write_csv(temporary)
    return path


def _nothing_matched(file: Path, unmatched: pl.DataFrame, items: pl.DataFrame, warehouse: Warehouse) -> EveError:
    number, image, problem = unmatched.row(0) if unmatched.height else (1, None, "there is none")
    dataset = items["dataset"][0] if items.height else ""
    known = read_table("images", [warehouse.file("images", dataset)])["path"].head(1).to_list()
    return EveError(
        f"None of the {unmatched.height} rows of {file} names an image of {dataset!r}; row {number} ({image}): {problem}",
        f"Name images by image_id or path, such as {known[0] if known else 'none'}; --image-column says which column does.",
    )
