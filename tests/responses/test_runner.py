"""The runner against a real server: nothing is asked twice, nothing that came back is lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import polars as pl
import pytest
from filelock import FileLock

from eve_pipeline.answers.reading import PARSER_VERSION
from eve_pipeline.datasets.catalogue import build_images
from eve_pipeline.datasets.registry import dataset_entry
from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.items import build_items
from eve_pipeline.responses.answering import answer_cell, answer_outdated_cells
from eve_pipeline.responses.cells import Cell, select_cells
from eve_pipeline.responses.journal import Entry, fold_abandoned_journals
from eve_pipeline.responses.locks import cell_lock
from eve_pipeline.responses.planning import plan_cell
from eve_pipeline.responses.runner import CellOutcome, ask_cells, to_requests
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.protocol import Reply
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table, write_table
from tests.chat_server import ChatServer

CELL = Cell("served", "photos", "simple")
N = 24


def ask(settings: Settings, **options: int) -> CellOutcome:
    return next(iter(ask_cells([CELL], settings, **options)))


def stored(settings: Settings) -> pl.DataFrame:
    return read_table("responses", Warehouse.of(settings).files("responses"))


def test_every_image_is_asked_once_and_answered(prepared: Settings, chat_server: ChatServer):
    assert ask(prepared) == CellOutcome(CELL, n_requests=N, n_asked=N)
    assert len(chat_server.seen) == N == stored(prepared)["request_key"].n_unique()
    answers = answer_cell(CELL, prepared)
    images = read_table("images", [Warehouse.of(prepared).file("images", "photos")])
    root = prepared.home.parent / "photographs"
    expected = {row["image_id"]: chat_server.label((root / row["path"]).read_bytes()) for row in images.iter_rows(named=True)}
    assert dict(answers.select("image_id", "label").iter_rows()) == expected
    assert set(answers["status"]) == {"ok"}


def test_requests_know_the_size_of_their_picture(prepared: Settings):
    plan = plan_cell(CELL, prepared)
    assert {(request.width, request.height) for request in to_requests(plan.missing, plan.configs, prepared)} == {(32, 32)}


def test_a_second_run_asks_nothing(prepared: Settings, chat_server: ChatServer):
    ask(prepared)
    assert ask(prepared) == CellOutcome(CELL, n_requests=N, n_asked=0)
    assert len(chat_server.seen) == N


def test_errors_alone_are_asked_again(prepared: Settings, chat_server: ChatServer):
    chat_server.fault = lambda number: 400 if number <= 5 else 0
    assert ask(prepared).n_errors == 5
    assert answer_cell(CELL, prepared)["status"].value_counts().sort("status").rows() == [("error", 5), ("ok", N - 5)]
    chat_server.fault = lambda _: 0
    assert ask(prepared) == CellOutcome(CELL, n_requests=N, n_asked=5)
    assert set(answer_cell(CELL, prepared)["status"]) == {"ok"}


def test_a_content_filter_is_final(prepared: Settings, chat_server: ChatServer):
    chat_server.finish_reason = "content_filter"
    ask(prepared)
    assert ask(prepared).n_asked == 0
    assert set(answer_cell(CELL, prepared)["status"]) == {"content_filter"}


def test_a_limited_run_is_widened_not_repeated(prepared: Settings, chat_server: ChatServer):
    assert ask(prepared, limit=7) == CellOutcome(CELL, n_requests=7, n_asked=7)
    assert ask(prepared) == CellOutcome(CELL, n_requests=N, n_asked=N - 7)
    assert ask(prepared, limit=7) == CellOutcome(CELL, n_requests=N, n_asked=0)
    assert len(chat_server.seen) == N


def test_repeats_send_other_seeds_and_are_refused_of_a_greedy_model(
    prepared: Settings, chat_server: ChatServer, add_model: Callable[..., None]
):
    assert "greedily" in (ask(prepared, repeats=2).failure or "")
    add_model("sampled", backend="openai", id="stub", base_url=chat_server.url, parameters={"temperature": 1, "seed": 5})
    outcome = next(iter(ask_cells([CELL._replace(model="sampled")], prepared, repeats=3)))
    assert outcome.n_asked == 3 * N
    assert sorted({body["seed"] for _, body in chat_server.seen}) == [5, 6, 7]


def test_one_picture_in_two_subsets_is_asked_once(prepared: Settings, chat_server: ChatServer):
    warehouse = Warehouse.of(prepared)
    ask(prepared)
    for entry in (prepared.home / "datasets").glob("*.yaml"):
        entry.with_stem("copy").write_text(entry.read_text())
    entry = dataset_entry("copy", prepared)
    build_images(entry, prepared, warehouse)
    build_items(entry, prepared, warehouse)
    other = Cell("served", "copy", "simple")
    assert next(iter(ask_cells([other], prepared))) == CellOutcome(other, n_requests=N, n_asked=0)
    assert set(answer_cell(other, prepared)["status"]) == {"ok"}
    assert len(chat_server.seen) == N


def test_an_edited_prompt_makes_earlier_configs_history(prepared: Settings, chat_server: ChatServer):
    own = prepared.home / "prompts" / "own.yaml"
    own.parent.mkdir()
    cell = CELL._replace(prompt="own")
    for text in ('Which: $labels? {"prediction": "x"}', 'Say which: $labels? {"prediction": "x"}'):
        own.write_text(f"description: mine\nanswer_key: prediction\ntext: '{text}'\n")
        assert next(iter(ask_cells([cell], prepared))).n_asked == N
    answers = answer_cell(cell, prepared)
    assert answers.group_by("is_current").len().sort("is_current").rows() == [(False, N), (True, N)]


def test_a_cell_that_another_process_holds_is_skipped_and_the_holder_named(prepared: Settings, chat_server: ChatServer):
    with cell_lock(CELL, prepared):
        outcomes = list(ask_cells([CELL, CELL._replace(prompt="explanation")], prepared))
    assert f'"pid": {os.getpid()}' in (outcomes[0].failure or "")
    assert outcomes[1].n_asked == N


def test_a_subset_that_is_not_materialized_is_named(prepared: Settings):
    with pytest.raises(EveError, match="no subset"):
        select_cells(prepared, models=["served"], subsets=["elsewhere"])
    assert "'sample' is not materialized" in (next(iter(ask_cells([Cell("served", "sample", "simple")], prepared))).failure or "")


def test_a_refused_key_ends_the_cell_with_what_to_fix(prepared: Settings, chat_server: ChatServer):
    chat_server.fault = lambda _: 401
    assert "api_key_env" in (ask(prepared).failure or "")


@pytest.mark.parametrize("delay_s", [0.0, 0.15, 0.4])
def test_killed_at_any_moment_nothing_stored_is_lost_and_only_the_rest_is_asked(
    prepared: Settings, chat_server: ChatServer, delay_s: float
):
    chat_server.latency_s = 0.1
    script = "from eve_pipeline.settings import Settings; from eve_pipeline.responses.runner import ask_cells; "
    script += "from eve_pipeline.responses.cells import Cell; list(ask_cells([Cell('served', 'photos', 'simple')], Settings()))"
    child = subprocess.Popen([sys.executable, "-c", script], env=os.environ | {"EVE_HOME": str(prepared.home)})
    while not chat_server.seen:
        assert child.poll() is None
        time.sleep(0.01)
    time.sleep(delay_s)
    child.send_signal(signal.SIGKILL)
    child.wait()
    time.sleep(0.3)
    asked_before = len(chat_server.seen)
    journalled = sum(path.read_bytes().count(b"\n") for path in Warehouse.of(prepared).journals.glob("*.jsonl"))

    outcome = ask(prepared)

    assert outcome.n_asked == N - journalled
    assert stored(prepared)["request_key"].n_unique() == N == stored(prepared).height
    assert len(chat_server.seen) == asked_before + outcome.n_asked
    assert asked_before - journalled <= 8  # in flight when it was killed
    assert not list(Warehouse.of(prepared).journals.glob("*.jsonl"))


def test_a_torn_last_line_is_dropped_and_folding_twice_doubles_nothing(prepared: Settings):
    ask(prepared)
    warehouse = Warehouse.of(prepared)
    part = next(iter(warehouse.files("responses")))
    journal = warehouse.journals / f"{part.stem.removeprefix('part-').upper()}.jsonl"
    entries = [Entry(model=CELL.model, task=CELL.task, reply=Reply.model_validate(row)) for row in stored(prepared).iter_rows(named=True)]
    journal.write_text("".join(entry.model_dump_json() + "\n" for entry in entries) + '{"model": "served", "ta')
    assert fold_abandoned_journals(warehouse) == N
    assert stored(prepared).height == N


def test_a_journal_in_use_is_left_alone(prepared: Settings):
    warehouse = Warehouse.of(prepared)
    warehouse.journals.mkdir()
    journal = warehouse.journals / "0.jsonl"
    journal.write_text("")
    with FileLock(journal.with_suffix(".lock")):
        assert fold_abandoned_journals(warehouse) == 0
        assert journal.exists()


def test_a_damaged_line_names_the_journal_and_line(prepared: Settings):
    warehouse = Warehouse.of(prepared)
    warehouse.journals.mkdir()
    (warehouse.journals / "0.jsonl").write_bytes(b"\0\0\0\n")
    with pytest.raises(EveError, match=r"Line 1 of .*0\.jsonl is damaged"):
        fold_abandoned_journals(warehouse)
    assert (warehouse.journals / "0.jsonl").exists()


def test_the_same_name_at_another_server_is_another_model(prepared: Settings, chat_server: ChatServer, add_model: Callable[..., None]):
    ask(prepared)
    with ChatServer() as other:
        add_model("elsewhere", backend="openai", id="stub", base_url=other.url)
        assert next(iter(ask_cells([CELL._replace(model="elsewhere")], prepared))).n_asked == N
        assert len(other.seen) == N


def test_images_that_left_the_subset_leave_the_requests(prepared: Settings):
    ask(prepared)
    items = Warehouse.of(prepared).file("benchmark_items", "photos")
    kept = read_table("benchmark_items", [items])
    for n_kept in (10, 0):
        write_table(kept.head(n_kept), "benchmark_items", items)
        ask(prepared)
        assert answer_cell(CELL, prepared).filter("is_current").height == n_kept


def test_what_a_failed_run_did_not_get_shows_as_missing(prepared: Settings, chat_server: ChatServer):
    chat_server.fault = lambda number: 401 if number > 10 else 0
    assert ask(prepared).failure
    statuses = dict(answer_cell(CELL, prepared).group_by("status").len().iter_rows())
    assert statuses["missing"] >= N - 10
    assert sum(statuses.values()) == N


def test_a_greedy_models_seed_is_no_reason_to_ask_again(prepared: Settings, chat_server: ChatServer, add_model: Callable[..., None]):
    ask(prepared)
    add_model("served", backend="openai", id="stub", base_url=chat_server.url, parameters={"seed": 9})
    assert ask(prepared).n_asked == 0


def test_cells_whose_answers_are_outdated_are_read_again(prepared: Settings):
    ask(prepared)
    warehouse = Warehouse.of(prepared)
    answers = warehouse.file("answers", CELL.model, CELL.task)
    assert answer_outdated_cells(prepared) == [CELL]
    assert answer_outdated_cells(prepared) == []
    write_table(read_table("answers", [answers]).with_columns(parser_version=pl.lit("0")), "answers", answers)
    assert answer_outdated_cells(prepared) == [CELL]
    later = time.time() + 60
    os.utime(warehouse.files("responses")[0], (later, later))
    assert answer_outdated_cells(prepared) == [CELL]
    assert set(read_table("answers", [answers])["parser_version"]) == {PARSER_VERSION}
