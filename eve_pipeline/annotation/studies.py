"""Studies on disk: one file of questions a study, and what an annotator sees of them."""

import hashlib
import re

import polars as pl
from filelock import BaseFileLock, FileLock

from eve_pipeline.annotation.sampling import Drawn, Wanted, draw_tasks
from eve_pipeline.errors import EveError
from eve_pipeline.registry import KEY_PATTERN
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table, write_table

STATUS = pl.Schema(
    {"study": pl.String(), "annotator": pl.String(), "tasks": pl.Int64(), "answered": pl.Int64(), "last_at": pl.Datetime("us", "UTC")}
)


def make_study(study: str, wanted: Wanted, warehouse: Warehouse) -> Drawn:
    """Draw a study and store its questions; one that nobody has answered yet is drawn anew.

    Raises:
        EveError: the name is no key, somebody has answered the study, or there is nothing to draw from.
    """
    drawn = draw_tasks(check_key(study, "a study"), wanted, warehouse.database)
    with study_lock(study, warehouse):
        if answered := [name for name in annotators(study, warehouse) if not read_annotations(study, warehouse, name).is_empty()]:
            raise EveError(
                f"Study {study!r} has answers of {', '.join(answered)}", "Give the new one another name with --study; answers are kept."
            )
        write_table(drawn.tasks, "annotation_tasks", warehouse.file("annotation_tasks", study))
    return drawn


def study_lock(study: str, warehouse: Warehouse) -> BaseFileLock:
    """Return what excludes all who store a study's questions or answers, so that none is drawn anew while somebody answers it."""
    return FileLock(warehouse.lock("annotation_tasks", check_key(study, "a study")))


def check_key(name: str, noun: str) -> str:
    """Return the name of a study or an annotator; `EveError` where it is none."""
    if not re.fullmatch(KEY_PATTERN, name):
        raise EveError(f"{name!r} is no name of {noun}", "Use lower-case letters, digits, - and _, at most 64 of them.")
    return name


def studies(warehouse: Warehouse) -> list[str]:
    """Return the names of all studies."""
    return [file.stem for file in warehouse.files("annotation_tasks")]


def read_tasks(study: str, warehouse: Warehouse) -> pl.DataFrame:
    """Return the questions of a study; `EveError` lists the known ones."""
    file = warehouse.file("annotation_tasks", check_key(study, "a study"))
    if not file.exists():
        raise EveError(f"There is no study {study!r}", f"Known: {', '.join(studies(warehouse)) or 'none; draw one: eve annotate sample'}.")
    return read_table("annotation_tasks", [file])


def annotators(study: str, warehouse: Warehouse) -> list[str]:
    """Return the names of all who have begun a study."""
    return [file.stem for file in sorted((warehouse.folder("annotations") / study).glob("*.parquet"))]


def read_annotations(study: str, warehouse: Warehouse, annotator: str) -> pl.DataFrame:
    """Return what an annotator has answered, in order of time."""
    return read_table("annotations", [warehouse.file("annotations", study, annotator)]).sort("created_at", maintain_order=True)


def sheet(study: str, annotator: str, warehouse: Warehouse) -> pl.DataFrame:
    """Return a study as an annotator sees it: task, dataset, image_id, first, second, and what was answered so far.

    The columns choice, confidence and comment are NULL in open questions. All annotators have the same order of questions, so that what
    two have done overlaps though neither has ended; the order of two labels is each one's own. Neither is to be guessed without the
    study's secret.
    """
    check_key(annotator, "an annotator")
    tasks = read_tasks(study, warehouse)
    rows = tasks.select("order_key", "task", "truth", "answer").iter_rows()
    shown = [(_digest(key, task), *_shown(key, annotator, task, (truth, answer))) for key, task, truth, answer in rows]
    order = pl.DataFrame(shown, schema=["place", "first", "second"], orient="row", schema_overrides={"place": pl.Binary})
    answered = read_annotations(study, warehouse, annotator).select("task", "choice", "confidence", "comment")
    seen = tasks.select("task", "dataset", "image_id").hstack(order).sort("place").drop("place")
    return seen.join(answered, on="task", how="left", maintain_order="left")


def _shown(order_key: str, annotator: str, task: str, labels: tuple[str, str]) -> tuple[str, str]:
    return labels if _digest(order_key, annotator, task)[0] % 2 else labels[::-1]


def _digest(*parts: str) -> bytes:
    return hashlib.sha256(":".join(parts).encode()).digest()


def status(warehouse: Warehouse) -> pl.DataFrame:
    """Return how far every annotator of every study is: study, annotator, tasks, answered, last_at; annotator is NULL before the first."""
    rows: list[tuple[object, ...]] = []
    for study in studies(warehouse):
        n_tasks = read_tasks(study, warehouse).height
        names = annotators(study, warehouse)
        answers = [read_annotations(study, warehouse, name) for name in names]
        rows += [(study, name, n_tasks, of.height, of["created_at"].max()) for name, of in zip(names, answers, strict=True)]
        rows += [] if names else [(study, None, n_tasks, 0, None)]
    return pl.DataFrame(rows, STATUS, orient="row")
