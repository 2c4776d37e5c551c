"""Check what is materialized, one partition of a table at a time, and keep what was found."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from eve_pipeline.datasets.catalogue import images_of_others
from eve_pipeline.datasets.registry import dataset_entries, dataset_entry
from eve_pipeline.emotions.label_sets import resolve_labels
from eve_pipeline.errors import EveError
from eve_pipeline.quality.checking import Check, CheckResult, Rule, Rules, run_suite
from eve_pipeline.quality.records import Record, compared_with, keep, now, read_record
from eve_pipeline.quality.suites.answers import ANSWER_CHECKS, answers_suite
from eve_pipeline.quality.suites.benchmark_items import ITEM_CHECKS, item_rows, items_suite
from eve_pipeline.quality.suites.drift import DRIFT_CHECKS, drift_suite, measure
from eve_pipeline.quality.suites.images import BESIDE, IMAGE_CHECKS, check_elsewhere, check_expected, check_usable, images_suite
from eve_pipeline.quality.suites.responses import RESPONSE_CHECKS, response_rows, responses_suite
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_parts import stored_responses
from eve_pipeline.warehouse.tables import read_table

READABLE: Final = "readable"
READABLE_RULE = Rule("its files can be read, and are not of a newer version", "Do what the message says about the file that it names.")
RULES: Final[dict[str, Rules]] = {
    "images": {**IMAGE_CHECKS, **DRIFT_CHECKS["images"], **BESIDE},
    "benchmark_items": {**ITEM_CHECKS, **DRIFT_CHECKS["benchmark_items"]},
    "responses": {**RESPONSE_CHECKS, **DRIFT_CHECKS["responses"]},
    "answers": {**ANSWER_CHECKS, **DRIFT_CHECKS["answers"]},
}
"""The rules about each table by name."""


class Found(NamedTuple):
    """The rows of a partition, what is expected of them, and the results of what Great Expectations has no expectation for."""

    rows: pl.DataFrame
    suite: list[Check]
    beside: tuple[CheckResult, ...] = ()


def check(table: str, partition: tuple[str, ...], settings: Settings) -> Record:
    """Check one partition of a table: (dataset,) or (model, task). Keep and return what was found.

    Raises:
        EveError: a file is damaged or newer than this program.
        RuntimeError: an expectation could not be evaluated.
    """
    warehouse = Warehouse.of(settings)
    version, last = _version(table, partition, warehouse), read_record(warehouse, table, partition)
    found, before = _SUITES[table](partition, settings), compared_with(last, version)
    results = (*run_suite(found.rows, [*found.suite, *drift_suite(table, before)]), *found.beside)
    record = Record(
        table=table,
        partition=partition,
        version=version,
        checked_at=now(),
        figures=measure(found.rows),
        previous=before,
        results=results,
    )
    return keep(record, warehouse)


def check_or_say_why(table: str, partition: tuple[str, ...], settings: Settings) -> Record:
    """Check as `check` does; files that cannot be read are a failed check, which keeps the figures of the last good materialization."""
    try:
        return check(table, partition, settings)
    except EveError as error:
        warehouse = Warehouse.of(settings)
        last = read_record(warehouse, table, partition)
        unreadable = CheckResult(READABLE, passed=False, severity="error", n_checked=0, n_unexpected=None, examples=(), message=str(error))
        figures, previous, version = (last.figures, last.previous, last.version) if last else (None, None, 0)
        return keep(
            Record(
                table=table,
                partition=partition,
                version=version,
                checked_at=now(),
                figures=figures,
                previous=previous,
                results=(unreadable,),
            ),
            warehouse,
        )


def materialized(settings: Settings) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield table and partition of all that can be checked: without its entry, nobody knows what is expected of a dataset."""
    warehouse, datasets = Warehouse.of(settings), dataset_entries(settings)
    for table in ("images", "benchmark_items"):
        yield from ((table, (dataset,)) for dataset in (*datasets, *datasets.broken) if warehouse.file(table, dataset).exists())
    for table, of in (("responses", "requests"), ("answers", "answers")):
        yield from ((table, (file.parent.name, file.stem)) for file in warehouse.files(of))


def _version(table: str, partition: tuple[str, ...], warehouse: Warehouse) -> int:
    files: Iterable[Path] = [warehouse.file(table, *partition)]
    if table == "responses":
        files = [warehouse.file("requests", *partition), *warehouse.folder(table).joinpath(*partition).glob("*.parquet")]
    return max((file.stat().st_mtime_ns for file in files if file.exists()), default=0)


def _images(partition: tuple[str, ...], settings: Settings) -> Found:
    warehouse, entry = Warehouse.of(settings), dataset_entry(partition[0], settings)
    images, rejected = (read_table(table, [warehouse.file(table, entry.key)]) for table in ("images", "rejected_images"))
    suite = images_suite(resolve_labels(entry.labels, settings), is_labelled=images["label"].is_not_null().any())
    beside = (
        check_expected(images, rejected.height, entry.expected),
        check_usable(images, rejected),
        check_elsewhere(images, *images_of_others(entry.key, warehouse)),
    )
    return Found(images, suite, beside)


def _items(partition: tuple[str, ...], settings: Settings) -> Found:
    warehouse, entry = Warehouse.of(settings), dataset_entry(partition[0], settings)
    images, scores = (read_table(table, [warehouse.file(table, entry.key)]) for table in ("images", "classifier_scores"))
    items = read_table("benchmark_items", [warehouse.file("benchmark_items", subset) for subset in entry.subsets])
    rows = item_rows(items, images, scores)
    return Found(rows, items_suite(entry.key, images, scores, entry.hard_subset))


def _responses(partition: tuple[str, ...], settings: Settings) -> Found:
    warehouse = Warehouse.of(settings)
    requests, configs = (read_table(table, [warehouse.file(table, *partition)]) for table in ("requests", "configs"))
    stored = stored_responses(requests["request_key"], warehouse, needed_alone=True)
    return Found(response_rows(requests, configs, stored), responses_suite())


def _answers(partition: tuple[str, ...], settings: Settings) -> Found:
    warehouse = Warehouse.of(settings)
    answers, configs = (read_table(table, [warehouse.file(table, *partition)]) for table in ("answers", "configs"))
    current = answers.filter("is_current")
    images = read_table("images", [warehouse.file("images", dataset) for dataset in current["dataset"].unique()])
    asked = current.unique(["dataset", "image_id"]).select("dataset", "image_id").join(images, on=["dataset", "image_id"])
    truth = dict(asked.drop_nulls("label")["label"].value_counts().iter_rows())
    said = current.filter(status="ok").drop_nulls("label")["label"].value_counts(sort=True)["label"]
    labels = configs.filter("is_current")["labels"].explode().drop_nulls().unique(maintain_order=True)
    suite = answers_suite(tuple(labels), current.height, truth, None if said.is_empty() else said[0])
    return Found(current, suite)


_SUITES: Final[dict[str, Callable[[tuple[str, ...], Settings], Found]]] = {
    "images": _images,
    "benchmark_items": _items,
    "responses": _responses,
    "answers": _answers,
}
