"""What annotators answer: checked, and on disk before anything else happens.

An annotator's answers to a study are one file, which is replaced whole at every answer. An answer that was taken back is gone: a study
measures what people settled on.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from eve_pipeline.annotation.studies import read_annotations, sheet, study_lock
from eve_pipeline.errors import EveError
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import write_table

Choice = Literal["first", "second", "both", "neither", "unsure"]
LONGEST_COMMENT = 2000


class Answer(BaseModel):
    """One answer: which of the two labels, in the order in which they were shown, how sure from 1 to 5, and a remark."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    shown_order: tuple[str, str]
    choice: Choice
    confidence: Annotated[int, Field(ge=1, le=5)] | None = None
    comment: Annotated[str, Field(max_length=LONGEST_COMMENT)] | None = None
    duration_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    created_at: datetime | None = None


class Progress(NamedTuple):
    """Questions answered, and all there are."""

    n_answered: int
    n_tasks: int


def record(
    study: str, annotator: str, answers: Sequence[Answer], source: Literal["app", "csv", "label-studio"], warehouse: Warehouse
) -> Progress:
    """Store answers; on disk when this returns.

    Raises:
        EveError: the study has no such question, it is answered already, or was drawn anew since it was shown; nothing is stored.
    """
    with study_lock(study, warehouse):
        seen, before = sheet(study, annotator, warehouse), read_annotations(study, warehouse, annotator)
        _check_open([answer.task for answer in answers], seen)
        _check_shown(answers, seen)
        common = {"study": study, "annotator": annotator, "source": source}
        rows = [answer.model_dump() | common | {"created_at": answer.created_at or datetime.now(UTC)} for answer in answers]
        new = pl.DataFrame(rows, schema=contracts()["annotations"].polars_schema)
        write_table(pl.concat([before, new]), "annotations", warehouse.file("annotations", study, annotator))
    return Progress(before.height + new.height, seen.height)


def undo(study: str, annotator: str, task: str, warehouse: Warehouse) -> bool:
    """Take back an annotator's answer to a task if it is the last one, and return whether it was: who asks twice takes back one."""
    with study_lock(study, warehouse):
        answers = read_annotations(study, warehouse, annotator)
        if answers["task"].tail(1).to_list() != [task]:
            return False
        write_table(answers.head(-1), "annotations", warehouse.file("annotations", study, annotator))
    return True


def _check_open(tasks: Sequence[str], seen: pl.DataFrame) -> None:
    known = dict(seen.select("task", "choice").iter_rows())
    if unknown := [task for task in tasks if task not in known]:
        raise EveError(
            f"The study has no question {unknown[0][:80]!r}", "It may have been drawn anew: open it, or export its sheet, again."
        )
    if answered := [task for task in tasks if known[task]]:
        raise EveError(f"Question {answered[0]} is answered already", "Take the answer back first.")
    if len(set(tasks)) < len(tasks):
        raise EveError("A question is answered twice", "Leave one of the answers out.")


def _check_shown(answers: Sequence[Answer], seen: pl.DataFrame) -> None:
    orders = {task: (first, second) for task, first, second in seen.select("task", "first", "second").iter_rows()}
    if any(answer.shown_order != orders[answer.task] for answer in answers):
        raise EveError("The study was drawn anew while this question was shown", "Look at it again; a sheet has to be exported again.")
