"""The runner against a real server: nothing is asked twice, nothing that came back is lost."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Barrier

import polars as pl
import pytest
from PIL import Image

from eve_pipeline.answers.reading import PARSER_VERSION
from eve_pipeline.datasets.catalogue import build_images
from eve_pipeline.datasets.registry import dataset_entry
from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.items import build_items
from eve_pipeline.responses.answering import answer_cell, answer_outdated_cells
from eve_pipeline.responses.cells import Cell, select_cells
from eve_pipeline.responses.extent import Extent
from eve_pipeline.responses.locks import cell_lock
from eve_pipeline.responses.planning import plan_cell
from eve_pipeline.responses.runner import CellOutcome, ask_cells, to_requests
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table, write_table
from tests.chat_server import ChatServer

CELL = Cell("served", "photos", "simple")
N = 24


def ask(settings: Settings, **extent: int) -> CellOutcome:
    return next(iter(ask_cells([CELL], settings, extent=Extent(**extent))))


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


def test_a_change_asks_again_exactly_what_it_must(
    prepared: Settings, chat_server: ChatServer, photographs: Path, add_model: Callable[..., None]
):
    def asked(**fields: object) -> int:
        add_model("served", backend="openai", id="stub", base_url=chat_server.url, **fields)
        before, outcome = len(chat_server.seen), ask(prepared)
        assert len(chat_server.seen) - before == outcome.n_asked
        return outcome.n_asked

    def read_images_again() -> None:
        entry = dataset_entry("photos", prepared)
        build_images(entry, prepared, Warehouse.of(prepared))
        build_items(entry, prepared, Warehouse.of(prepared))

    assert asked() == N
    Image.new("RGB", (40, 40)).save(photographs / "awe" / "0.jpg")
    read_images_again()
    assert asked() == 1
    assert asked(limits={"max_in_flight": 2}, description="other words") == 0
    assert asked(parameters={"temperature": 0.5}) == N
    assert asked(revision="2026-11-01") == N
    assert asked(image={"detail": "low"}) == N
    assert asked() == 0  # what was asked at first is still there


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
    outcome = next(iter(ask_cells([CELL._replace(model="sampled")], prepared, extent=Extent(3))))
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
        outcomes = {outcome.cell: outcome for outcome in ask_cells([CELL, CELL._replace(prompt="explanation")], prepared)}
    assert f'"pid": {os.getpid()}' in (outcomes[CELL].failure or "")
    assert outcomes[CELL._replace(prompt="explanation")].n_asked == N


def test_a_subset_that_is_not_materialized_is_named(prepared: Settings):
    with pytest.raises(EveError, match="no subset"):
        select_cells(prepared, models=["served"], subsets=["elsewhere"])
    assert "'sample' is not materialized" in (next(iter(ask_cells([Cell("served", "sample", "simple")], prepared))).failure or "")


def test_a_refused_key_ends_the_cell_with_what_to_fix(prepared: Settings, chat_server: ChatServer):
    chat_server.fault = lambda _: 401
    assert "api_key_env" in (ask(prepared).failure or "")


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
    of_a_config_that_is_gone = read_table("answers", [answers]).with_columns(config_digest=pl.lit("gone"))
    write_table(of_a_config_that_is_gone, "answers", answers)
    assert answer_outdated_cells(prepared) == [CELL]
    assert "gone" not in read_table("answers", [answers])["config_digest"]
    later = time.time() + 60
    os.utime(warehouse.files("responses")[0], (later, later))
    assert answer_outdated_cells(prepared) == [CELL]
    assert set(read_table("answers", [answers])["parser_version"]) == {PARSER_VERSION}


def test_providers_are_asked_side_by_side_and_a_cell_that_fails_stops_no_other(
    prepared: Settings, chat_server: ChatServer, add_model: Callable[..., None]
):
    with ChatServer() as other:
        add_model("elsewhere", backend="openai", id="stub", base_url=other.url)
        reached = Barrier(2)  # broken unless both are asked at the same time
        for server in (chat_server, other):
            server.fault = lambda number: reached.wait(30) and 0 if number == 1 else 0
        cells = [CELL, CELL._replace(subset="sample"), CELL._replace(model="elsewhere")]
        outcomes = {outcome.cell: outcome for outcome in ask_cells(cells, prepared)}
    assert {cell: outcome.n_asked for cell, outcome in outcomes.items()} == {cells[0]: N, cells[1]: 0, cells[2]: N}
    assert "not materialized" in (outcomes[cells[1]].failure or "")
    assert not reached.broken


def test_a_provider_that_refuses_is_asked_no_further_and_the_others_are(
    prepared: Settings, chat_server: ChatServer, add_model: Callable[..., None]
):
    chat_server.fault = lambda _: 401
    with ChatServer() as other:
        add_model("elsewhere", backend="openai", id="stub", base_url=other.url)
        prompts = ("simple", "explanation", "no_labels", "caption_reasoning", "positive_persona", "negative_persona")
        cells = [Cell(model, "photos", prompt) for prompt in prompts for model in ("served", "elsewhere")]
        outcomes = list(ask_cells(cells, prepared))
    assert len(outcomes) == len(cells)
    assert all((outcome.failure is not None) == (outcome.cell.model == "served") for outcome in outcomes)
    asked = {body["messages"][0]["content"][-1]["text"] for _, body in chat_server.seen}
    assert len(asked) <= 2  # two cells at once, before the first refusal came


def test_a_run_that_is_closed_keeps_what_came(prepared: Settings, chat_server: ChatServer):
    chat_server.latency_s = 0.2
    cells = [CELL, CELL._replace(prompt="explanation"), CELL._replace(prompt="no_labels")]
    outcomes = ask_cells(cells, prepared)
    assert next(outcomes).n_asked == N
    outcomes.close()
    kept = stored(prepared).height
    assert N <= kept < 3 * N
    chat_server.latency_s = 0
    time.sleep(1)  # what was in flight then has ended, and its cell's lock is free
    assert sum(outcome.n_asked for outcome in ask_cells(cells, prepared)) == 3 * N - kept


def test_once_a_reply_cannot_be_kept_nothing_more_is_asked(prepared: Settings, chat_server: ChatServer):
    Warehouse.of(prepared).journals.write_text("in the way")
    cells = [CELL._replace(prompt=prompt) for prompt in ("simple", "explanation", "no_labels", "positive_persona")]
    outcomes = list(ask_cells(cells, prepared))
    assert all(f"{Warehouse.of(prepared).journals} cannot be written" in (outcome.failure or "") for outcome in outcomes)
    asked = {body["messages"][0]["content"][-1]["text"] for _, body in chat_server.seen}
    assert len(asked) <= 2  # two cells at once
    assert len(chat_server.seen) < N
