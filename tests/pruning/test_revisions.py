"""Old revisions go when an option says so; no reply that a model would ask for today ever does."""

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from subprocess import PIPE

import polars as pl
import pytest
import yaml

from eve_pipeline.emotions.label_sets import resolve_labels
from eve_pipeline.errors import EveError
from eve_pipeline.pruning.revisions import Found, Rule, _settings, find_revisions, remove_revisions
from eve_pipeline.responses.answering import answer_cell, answer_outdated_cells
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.locks import cell_lock
from eve_pipeline.responses.planning import plan_cell
from eve_pipeline.responses.reevaluation import spent_this_month
from eve_pipeline.responses.runner import ask_cells
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.compaction import drop_responses, remove_replaced
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_parts import visible_parts
from eve_pipeline.warehouse.tables import read_table, write_table
from tests.chat_server import ChatServer

SIMPLE = Cell("served", "photos", "simple")
ALL_OLD = Rule(keep=0)
N_KILLS = 3
REMOVE = """
import sys
from pathlib import Path
from eve_pipeline.pruning.revisions import Rule, find_revisions, remove_revisions
from eve_pipeline.settings import Settings
settings = Settings(home=Path(sys.argv[1]))
found = find_revisions(Rule(keep=1), settings).revisions
print("found", flush=True)
sys.stdin.readline()
remove_revisions(found, settings)
print("removed", flush=True)
"""


@pytest.fixture
def point_at(prepared: Settings, chat_server: ChatServer) -> Callable[..., None]:
    """A function that makes the only entry point at a revision."""

    def point_at(revision: str, key: str = "served") -> None:
        entry = {"backend": "openai", "id": "stub", "base_url": chat_server.url, "revision": revision}
        (prepared.home / "models.yaml").write_text(yaml.safe_dump({key: entry} if key else {}))

    return point_at


@pytest.fixture
def revised(prepared: Settings, point_at: Callable[..., None]) -> Settings:
    """Cell SIMPLE asked at the revisions 1, 2 and 3."""
    for revision in "123":
        point_at(revision)
        ask(prepared)
    return prepared


def ask(settings: Settings, *cells: Cell) -> None:
    assert [outcome.failure for outcome in ask_cells(cells or [SIMPLE], settings)] == [None] * (len(cells) or 1)
    for cell in cells or [SIMPLE]:
        answer_cell(cell, settings)


def names(found: Found) -> list[str]:
    return found.revisions["model_revision"].to_list()


def n_replies(settings: Settings) -> int:
    return read_table("responses", visible_parts(Warehouse.of(settings))).height


def revisions_in(table: str, settings: Settings) -> set[str]:
    warehouse = Warehouse.of(settings)
    configs = read_table("configs", warehouse.files("configs")).select("config_digest", "model_revision")
    return set(
        read_table(table, warehouse.files(table)).join(configs.unique(), on="config_digest", how="left", suffix="_")["model_revision"]
    )


def test_nothing_is_found_unless_an_option_says_so(revised: Settings):
    assert names(find_revisions(Rule(), revised)) == []
    assert names(find_revisions(ALL_OLD, revised)) == ["1", "2"]
    assert names(find_revisions(Rule(keep=1), revised)) == ["1"]
    assert names(find_revisions(Rule(keep=2), revised)) == []
    assert names(find_revisions(Rule(older_than=timedelta(days=1)), revised)) == []
    assert names(find_revisions(Rule(older_than=timedelta()), revised)) == ["1", "2"]
    assert names(find_revisions(Rule(keep=1, older_than=timedelta()), revised)) == ["1"]
    row = find_revisions(Rule(keep=1), revised).revisions.row(0, named=True)
    assert [row[name] for name in ("model", "subset", "prompt", "dataset", "n_requests", "n_replies")] == [*SIMPLE, "photos", 24, 24]


def test_each_list_of_labels_is_a_revision(prepared: Settings, point_at: Callable[..., None]):
    point_at("1")
    file, mikels = prepared.home / "datasets" / "photos.yaml", resolve_labels("mikels", prepared)
    for more in ([], ["boredom"], ["boredom", "pride"]):
        file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"labels": [*mikels, *more]}))
        ask(prepared)
    assert [labels.to_list() for labels in find_revisions(ALL_OLD, prepared).revisions["labels"]] == [[*mikels], [*mikels, "boredom"]]
    assert [labels.to_list() for labels in find_revisions(Rule(keep=1), prepared).revisions["labels"]] == [[*mikels]]


def test_old_revisions_go_with_their_replies_and_the_current_one_is_untouched(revised: Settings, chat_server: ChatServer):
    n_seen = len(chat_server.seen)
    assert remove_revisions(find_revisions(Rule(keep=1), revised).revisions, revised) == (24, [])
    assert n_replies(revised) == 48
    assert [revisions_in(table, revised) for table in ("configs", "requests", "answers")] == [{"2", "3"}] * 3
    assert names(find_revisions(ALL_OLD, revised)) == ["2"]
    assert answer_outdated_cells(revised) == []
    assert plan_cell(SIMPLE, revised).missing.is_empty()
    remove_replaced(Warehouse.of(revised), timedelta())
    assert read_table("responses", Warehouse.of(revised).files("responses")).height == 48
    ask(revised)
    assert len(chat_server.seen) == n_seen


def test_a_revision_that_a_model_would_ask_with_today_stays(revised: Settings, point_at: Callable[..., None]):
    point_at("1")
    found = find_revisions(ALL_OLD, revised)
    assert names(found) == ["2"]
    assert found.kept == ["1 old revisions stay: models ask today as they did then"]


def test_one_that_became_current_after_it_was_found_stays(revised: Settings, point_at: Callable[..., None]):
    found = find_revisions(ALL_OLD, revised)
    point_at("1")
    ask(revised)
    assert remove_revisions(found.revisions, revised) == (24, [])
    assert revisions_in("answers", revised) == {"1", "3"}
    assert plan_cell(SIMPLE, revised).missing.is_empty()


def test_where_a_models_revision_is_not_known_nothing_of_it_goes(revised: Settings):
    unreachable = {"backend": "transformers", "id": "stub", "path": "/nowhere"}
    entries = yaml.safe_load((revised.home / "models.yaml").read_text())
    (revised.home / "models.yaml").write_text(yaml.safe_dump(entries | {"other": unreachable}))
    found = find_revisions(ALL_OLD, revised)
    assert names(found) == []
    assert "Revisions of stub stay: Model 'other' (stub) cannot be reached" in found.kept[0]


def test_nothing_goes_of_a_model_whose_revision_is_not_known_any_more(revised: Settings):
    """The renamed entry `other` could use the replies of revision 1 when they were found; now nobody can tell."""
    found = find_revisions(ALL_OLD, revised)
    unreachable = {"backend": "transformers", "id": "stub", "path": "/nowhere"}
    entries = yaml.safe_load((revised.home / "models.yaml").read_text())
    (revised.home / "models.yaml").write_text(yaml.safe_dump(entries | {"other": unreachable}))
    n_dropped, held = remove_revisions(found.revisions, revised)
    assert n_dropped == 0
    assert "Revisions of stub: Model 'other' (stub) cannot be reached" in held[0]
    assert n_replies(revised) == 72


def test_what_was_spent_this_month_is_not_forgotten(prepared: Settings, chat_server: ChatServer, add_model: Callable[..., None]):
    prices = {"input_usd": 1000, "output_usd": 100_000, "read_on": "2026-11-01", "source": "a test"}
    paid, warehouse = Cell("paid", "photos", "simple"), Warehouse.of(prepared)
    for revision in "12":
        add_model("paid", backend="openai", id="stub", base_url=chat_server.url, prices=prices, revision=revision)
        ask(prepared, paid)
    spent_usd = spent_this_month("paid", warehouse)
    assert spent_usd == pytest.approx(48 * 0.9)
    found = find_revisions(ALL_OLD, prepared)
    assert names(found) == []
    assert found.kept == ["1 revisions stay until next month: their replies count in what was spent in this one"]

    for file in warehouse.files("responses"):
        write_table(read_table("responses", [file]).with_columns(pl.col("created_at").dt.offset_by("-32d")), "responses", file)
    assert spent_this_month("paid", warehouse) == 0
    assert names(find_revisions(ALL_OLD, prepared)) == ["1"]


def test_replies_that_two_cells_share_go_with_the_last_of_them(revised: Settings, point_at: Callable[..., None], chat_server: ChatServer):
    """Both subsets hold the same images, so that they ask the same."""
    entry = yaml.safe_load((revised.home / "datasets" / "photos.yaml").read_text())
    (revised.home / "datasets" / "photos.yaml").write_text(
        yaml.safe_dump(entry | {"hard_subset": {"classifier": "vit-b16-paper", "n": 24}})
    )
    warehouse = Warehouse.of(revised)
    items = read_table("benchmark_items", [warehouse.file("benchmark_items", "photos")])
    write_table(items.with_columns(subset=pl.lit("photos-hard")), "benchmark_items", warehouse.file("benchmark_items", "photos-hard"))
    n_seen = len(chat_server.seen)
    ask(revised, SIMPLE, Cell("served", "photos-hard", "simple"))
    assert len(chat_server.seen) == n_seen

    point_at("", key="")
    removed = find_revisions(Rule(is_removed=True), revised).revisions
    assert remove_revisions(removed.filter(subset="photos-hard"), revised) == (0, [])
    assert remove_revisions(find_revisions(Rule(is_removed=True), revised).revisions, revised) == (72, [])
    assert n_replies(revised) == 0


def test_a_json_schema_is_a_setting_and_the_labels_in_it_are_none():
    """As mart revision_comparison tells revisions apart."""
    with_schema = [_settings(f'{{"response_format": {{"json_schema": {{"enum": ["{label}"]}}}}, "seed": 0}}') for label in ("awe", "fear")]
    assert with_schema[0] == with_schema[1]
    assert len({with_schema[0], _settings('{"response_format": "json_object", "seed": 0}'), _settings('{"seed": 0}')}) == 3


def test_a_cell_that_is_being_asked_stays(revised: Settings):
    with cell_lock(SIMPLE, revised):
        n_dropped, held = remove_revisions(find_revisions(ALL_OLD, revised).revisions, revised)
    assert n_dropped == 0
    assert "is being asked by" in held[0]
    assert n_replies(revised) == 72


def test_replies_that_went_before_the_tables_are_no_obstacle(revised: Settings):
    """What one leaves who is killed in between."""
    [digests] = find_revisions(Rule(keep=1), revised).revisions["config_digests"].to_list()
    requests = read_table("requests", Warehouse.of(revised).files("requests"))
    drop_responses(requests.filter(pl.col("config_digest").is_in(digests))["request_key"], Warehouse.of(revised))
    assert remove_revisions(find_revisions(Rule(keep=1), revised).revisions, revised) == (0, [])
    assert revisions_in("requests", revised) == {"2", "3"}


def test_killed_at_any_moment_it_goes_on_when_it_is_run_again(revised: Settings, tmp_path: Path):
    took, moments = None, random.Random(0)  # noqa: S311 - moments are no secret
    for kill in range(N_KILLS + 1):
        settings = Settings(home=tmp_path / f"killed-{kill}")
        shutil.copytree(revised.home, settings.home)
        with subprocess.Popen([sys.executable, "-c", REMOVE, str(settings.home)], stdin=PIPE, stdout=PIPE, text=True) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            assert child.stdout.readline() == "found\n"
            start = time.monotonic()
            child.stdin.write("go\n")
            child.stdin.flush()
            if took is None:  # the first is not killed
                assert child.stdout.readline() == "removed\n"
                took = time.monotonic() - start
            else:
                time.sleep(took * moments.random())
                child.kill()
        current = read_table("responses", visible_parts(Warehouse.of(settings)))
        assert current.height >= 48
        remove_revisions(find_revisions(Rule(keep=1), settings).revisions, settings)
        answer_outdated_cells(settings)  # as each publication does
        assert [revisions_in(table, settings) for table in ("configs", "requests", "answers")] == [{"2", "3"}] * 3
        assert n_replies(settings) == 48
        assert plan_cell(SIMPLE, settings).missing.is_empty()
        assert find_revisions(Rule(keep=1), settings).revisions.is_empty()


def test_cells_of_a_removed_model_go_whole(revised: Settings, point_at: Callable[..., None]):
    point_at("", key="")
    assert names(find_revisions(ALL_OLD, revised)) == []
    found = find_revisions(Rule(is_removed=True), revised)
    assert sorted(names(found)) == ["1", "2", "3"]
    assert remove_revisions(found.revisions, revised) == (72, [])
    assert [Warehouse.of(revised).files(table) for table in ("configs", "requests", "answers")] == [[], [], []]
    assert n_replies(revised) == 0


def test_replies_of_a_renamed_model_stay_for_its_new_name(revised: Settings, point_at: Callable[..., None], chat_server: ChatServer):
    point_at("3", key="renamed")
    remove_revisions(find_revisions(Rule(is_removed=True), revised).revisions, revised)
    assert n_replies(revised) == 24
    n_seen = len(chat_server.seen)
    ask(revised, Cell("renamed", "photos", "simple"))
    assert len(chat_server.seen) == n_seen


def test_replies_that_were_imported_stay(revised: Settings, point_at: Callable[..., None]):
    point_at("", key="")
    file = Warehouse.of(revised).file("requests", "served", "photos.simple")
    requests = read_table("requests", [file]).with_columns(origin=pl.lit("imported"))
    write_table(requests, "requests", file)
    assert names(find_revisions(Rule(is_removed=True), revised)) == []


@pytest.mark.parametrize("broken", ["models.yaml", "prompts/mine.yaml", "datasets/photos.yaml"])
def test_what_cannot_be_read_is_not_taken_for_removed(revised: Settings, broken: str):
    file = revised.home / broken
    file.parent.mkdir(exist_ok=True)
    file.write_text("served: {backend: openai}")
    with pytest.raises(EveError, match=f"{broken}: entry"):
        find_revisions(Rule(is_removed=True), revised)
