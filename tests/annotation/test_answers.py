"""Answers are checked, on disk at once, and taken back one by one."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from eve_pipeline.annotation.answers import LONGEST_COMMENT, Answer, record, undo
from eve_pipeline.annotation.sampling import Wanted
from eve_pipeline.annotation.studies import make_study, read_annotations, sheet, status
from eve_pipeline.errors import EveError
from eve_pipeline.warehouse.paths import Warehouse
from tests.annotation.conftest import answer

HOSTILE = "<script>alert(1)</script>'; drop table annotations; --\x00\x1b[31m\u202e=1+1\n**x** 😀"


def tasks(warehouse: Warehouse, study: str) -> list[str]:
    return sheet(study, "ada", warehouse)["task"].to_list()


def test_an_answer_is_on_disk_with_the_order_in_which_it_was_shown(warehouse: Warehouse, study: str) -> None:
    question = sheet(study, "ada", warehouse).row(0, named=True)
    given = answer(warehouse, study, question["task"], choice="second", confidence=4, comment=HOSTILE, duration_s=2.5)
    assert record(study, "ada", [given], "app", warehouse) == (1, 15)
    row = pl.read_parquet(warehouse.file("annotations", study, "ada")).row(0, named=True)
    assert row["shown_order"] == [question["first"], question["second"]]
    assert (row["choice"], row["confidence"], row["comment"], row["duration_s"]) == ("second", 4, HOSTILE, 2.5)
    assert (row["study"], row["annotator"], row["source"]) == (study, "ada", "app")
    assert sheet(study, "ada", warehouse).row(0, named=True)["choice"] == "second"
    assert sheet(study, "bo", warehouse)["choice"].null_count() == 15


def test_what_cannot_be_an_answer_changes_nothing(warehouse: Warehouse, study: str) -> None:
    first, second, *_ = tasks(warehouse, study)
    record(study, "ada", [answer(warehouse, study, first)], "app", warehouse)
    before = warehouse.file("annotations", study, "ada").read_bytes()
    for given, told in (
        ([Answer(task="nowhere", shown_order=("a", "b"), choice="both")], "no question 'nowhere'"),
        ([answer(warehouse, study, second), answer(warehouse, study, first)], "answered already"),
        ([answer(warehouse, study, second), answer(warehouse, study, second, choice="first")], "answered twice"),
    ):
        with pytest.raises(EveError, match=told):
            record(study, "ada", given, "app", warehouse)
    with pytest.raises(EveError, match="There is no study 'other'"):
        record("other", "ada", [answer(warehouse, study, first)], "app", warehouse)
    assert warehouse.file("annotations", study, "ada").read_bytes() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"choice": "third"},
        {"confidence": 6},
        {"confidence": 0},
        {"duration_s": -1},
        {"comment": "x" * (LONGEST_COMMENT + 1)},
        {"comment": "\ud800"},
        {"side": "model"},
    ],
)
def test_answers_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Answer.model_validate({"task": "t", "shown_order": ("a", "b"), "choice": "both"} | wrong)


def test_the_last_answer_is_taken_back_and_asked_again(warehouse: Warehouse, study: str) -> None:
    first, second, *_ = tasks(warehouse, study)
    assert not undo(study, "ada", first, warehouse)
    for task in (second, first):
        record(study, "ada", [answer(warehouse, study, task, choice="unsure")], "app", warehouse)
    assert undo(study, "ada", first, warehouse)
    assert not undo(study, "ada", first, warehouse)  # asked twice
    assert read_annotations(study, warehouse, "ada")["task"].to_list() == [second]
    record(study, "ada", [answer(warehouse, study, first, choice="neither")], "app", warehouse)
    assert undo(study, "ada", first, warehouse)
    assert undo(study, "ada", second, warehouse)
    assert read_annotations(study, warehouse, "ada").is_empty()


def _answer_some(home: str, study: str, given: list[str]) -> None:
    warehouse = Warehouse(Path(home))
    for task in given:
        record(study, "ada", [answer(warehouse, study, task)], "app", warehouse)


def test_two_processes_of_one_annotator_lose_nothing(warehouse: Warehouse, study: str) -> None:
    names = tasks(warehouse, study)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_answer_some, args=(str(warehouse.home), study, names[part::2])) for part in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(read_annotations(study, warehouse, "ada")["task"]) == sorted(names)


def test_one_question_is_answered_once_however_often_at_the_same_moment(warehouse: Warehouse, study: str) -> None:
    task = tasks(warehouse, study)[0]

    def press(_: int) -> bool:
        try:
            record(study, "ada", [answer(warehouse, study, task)], "app", warehouse)
        except EveError:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(press, range(8))) == 1


def test_an_answer_to_labels_in_another_order_is_refused(warehouse: Warehouse, study: str) -> None:
    """A study without answers was drawn anew while the question was shown: the first label may be the other one now."""
    task, first, second = sheet(study, "ada", warehouse).select("task", "first", "second").row(0)
    with pytest.raises(EveError, match="drawn anew"):
        record(study, "ada", [Answer(task=task, shown_order=(second, first), choice="first")], "app", warehouse)
    assert read_annotations(study, warehouse, "ada").is_empty()


def test_a_study_is_not_drawn_anew_while_it_is_answered(warehouse: Warehouse, study: str) -> None:
    def redraw(drawn: str) -> None:
        for seed in count():
            try:
                make_study(drawn, Wanted(n=3, seed=seed), warehouse)
            except EveError as error:
                assert "has answers" in error.problem  # noqa: PT017 - in a thread
                return

    def answer_one(drawn: str) -> None:
        while read_annotations(drawn, warehouse, "ada").is_empty():
            try:
                record(drawn, "ada", [answer(warehouse, drawn, sheet(drawn, "ada", warehouse)["task"][0])], "app", warehouse)
            except (EveError, pl.exceptions.OutOfBoundsError):  # it was drawn anew after it was looked at
                continue

    for drawn in ("a", "b"):
        make_study(drawn, Wanted(n=3), warehouse)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda does, of: does(of), (redraw, answer_one), (drawn, drawn)))
        asked = sheet(drawn, "ada", warehouse).drop_nulls("choice")
        given = read_annotations(drawn, warehouse, "ada").select("task", "shown_order").row(0)
        assert asked.select("task", pl.concat_list("first", "second")).rows() == [given]


def test_status_tells_how_far_everyone_is(warehouse: Warehouse, study: str) -> None:
    assert status(warehouse).select("study", "annotator", "tasks", "answered").rows() == [(study, None, 15, 0)]
    record(study, "bo", [answer(warehouse, study, tasks(warehouse, study)[0], "bo")], "app", warehouse)
    assert status(warehouse).select("study", "annotator", "tasks", "answered").rows() == [(study, "bo", 15, 1)]
