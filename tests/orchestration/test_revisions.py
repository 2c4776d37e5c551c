"""What sensors see and what they then request, tick by tick."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.observe import observe
from dagster._core.definitions.sensor_definition import SensorDefinition, SensorExecutionData
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG
from PIL import Image

from eve_pipeline.datasets.adding import add_dataset
from eve_pipeline.datasets.catalogue import build_images
from eve_pipeline.datasets.registry import dataset_entry
from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.items import build_items
from eve_pipeline.orchestration import automation, revisions
from eve_pipeline.orchestration.assets.evaluation import evaluation
from eve_pipeline.orchestration.definitions import build_definitions
from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.orchestration.launching import Launcher
from eve_pipeline.orchestration.partitions import partition_of, sync_partitions
from eve_pipeline.orchestration.revisions import look, news, record, revisions_known
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.observing import observe_cells
from eve_pipeline.responses.planning import plan_cell
from eve_pipeline.responses.runner import ask_cells
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import write_table
from tests.chat_server import ChatServer
from tests.shell import eve

ROW = [Cell(model, "photos", prompt) for model in ("changing", "steady") for prompt in ("mine", "simple")]
TABLES = ("configs", "requests", "responses", "answers")
TEXT = 'Which of $labels?\nAnswer with JSON: {"prediction": "<emotion>"}'


class Daemon:
    """Does what Dagster's daemon does, when it is told to."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings, self.instance = settings, instance
        self.cursor = None
        self.definitions = dg.Definitions(
            assets=[evaluation, revisions.model_revision, revisions.task_revision],
            asset_checks=[revisions_known],
            jobs=[dg.define_asset_job("look", dg.AssetSelection.checks(revisions_known))],
            resources={"settings": settings},
        )

    def tick(self, sensor: SensorDefinition) -> SensorExecutionData:
        """Evaluate a sensor, and record what it has seen."""
        found = sensor.evaluate_tick(dg.build_sensor_context(self.instance, resources={"settings": self.settings}))
        for event in found.asset_events:
            self.instance.report_runless_asset_event(event)
        return found

    def requested(self) -> set[str]:
        """Look at this machine, then return the partitions that automation requests."""
        for check in ("folders_known", "tasks_known"):
            for event in news(*look(check, self.settings), self.instance):
                self.instance.report_runless_asset_event(event)
        group = dg.AssetSelection.groups("evaluation")
        result = dg.evaluate_automation_conditions(self.definitions, self.instance, asset_selection=group, cursor=self.cursor)
        self.cursor = result.cursor
        by_table = [{str(key) for key in result.get_requested_partitions(dg.AssetKey(table))} for table in TABLES]
        assert all(partitions == by_table[0] for partitions in by_table), "tables of a cell go together"
        return by_table[0]

    def check(self, name: str, asset: dg.AssetKey = revisions.MODEL) -> tuple[int, bool, str]:
        """Return how often a check was recorded, and what was said last."""
        records = self.instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(asset, name), limit=100)
        return len(records), records[0].evaluation.passed, records[0].evaluation.description


def write_prompt(settings: Settings, text: str) -> None:
    file = settings.home / "prompts" / "mine.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump({"description": "A user's.", "answer_key": "prediction", "text": text}))


@pytest.fixture
def daemon(prepared: Settings, add_model: Callable[..., None]) -> Iterator[Daemon]:
    """Two models in folders and two prompts, all asked."""
    write_prompt(prepared, TEXT)
    for key in ("changing", "steady"):
        shutil.copytree(prepared.assets_data / "demo_models" / "demo-llava-small", prepared.home / "checkpoints" / key)
        add_model(key, backend="transformers", id="tiny", path=f"checkpoints/{key}")
    for cell in ROW:
        plan = plan_cell(cell, prepared)
        write_table(plan.requests, "requests", Warehouse.of(prepared).file("requests", cell.model, cell.task))
    with open_instance(prepared) as instance:
        sync_partitions(instance, prepared)
        record(observe_cells(ROW, prepared), instance)
        for cell in ROW:
            for table in TABLES:
                instance.report_runless_asset_event(dg.AssetMaterialization(table, partition=partition_of(cell)))
        yield Daemon(prepared, instance)


def partitions(**which: str) -> set[str]:
    return {partition_of(cell) for cell in ROW if all(getattr(cell, name) == value for name, value in which.items())}


def test_only_what_has_changed_is_requested_and_only_once(daemon: Daemon):
    settings = daemon.settings
    assert daemon.requested() == set()
    for file in [*(settings.home / "checkpoints").rglob("*.json"), *(settings.home / "prompts").iterdir()]:
        os.utime(file, (0, 0))
    assert daemon.requested() == set()

    (settings.home / "checkpoints" / "changing" / "more.json").write_text("{}")
    assert daemon.requested() == partitions(model="changing")
    assert daemon.requested() == set()
    write_prompt(settings, TEXT + "!")
    assert daemon.requested() == partitions(prompt="mine")
    assert daemon.requested() == set()


def test_a_change_is_not_lost_to_new_partitions(daemon: Daemon, add_model: Callable[..., None]):
    assert daemon.requested() == set()
    (daemon.settings.home / "checkpoints" / "changing" / "more.json").write_text("{}")
    add_model("later", backend="openai", id="x")
    sync_partitions(daemon.instance, daemon.settings)
    assert daemon.requested() == partitions(model="changing")


def test_changes_are_recorded_once_automation_has_looked_at_what_was_asked(daemon: Daemon):
    """It has never looked here: what it saw first together with the answers would count as older than these."""
    (daemon.settings.home / "checkpoints" / "changing" / "more.json").write_text("{}")
    seen = daemon.tick(automation.local_revisions).asset_events
    assert [type(event) for event in seen] == [dg.AssetCheckEvaluation] * 2


def observations(settings: Settings, instance: dg.DagsterInstance) -> set[str]:
    """Return what has changed since it was recorded."""
    events = [event for check in ("folders_known", "tasks_known") for event in news(*look(check, settings), instance)]
    return {str(event.partition) for event in events if isinstance(event, dg.AssetObservation)}


def test_a_folder_that_is_being_copied_is_left_alone(daemon: Daemon, add_model: Callable[..., None]):
    demo = daemon.settings.assets_data / "demo_models" / "demo-llava-base"
    for key in ("changing", "steady"):
        add_model(key, backend="transformers", id="tiny", path=str(demo))
    folder = daemon.settings.home / "checkpoints" / "changing"
    add_model("changing", backend="transformers", id="tiny", path=str(folder))
    (folder / "more.json").write_text("{}")
    _, seen = look("folders_known", daemon.settings, settled_for_s=5)
    assert [one.key for one in seen] == ["steady"]
    assert observations(daemon.settings, daemon.instance) == {"changing", "steady"}


def test_a_stated_revision_is_known_on_this_machine(daemon: Daemon, add_model: Callable[..., None]):
    add_model("changing", backend="openai", id="x", base_url="http://127.0.0.1:1/v1", revision="2026-11-01")
    assert observations(daemon.settings, daemon.instance) == {"changing"}
    assert look("services_known", daemon.settings) == ("services_known", [])


def test_what_changes_while_eve_run_asks_is_still_to_be_seen(daemon: Daemon, chat_server: ChatServer):
    def change(number: int) -> int:
        if number == 5:
            write_prompt(daemon.settings, TEXT + "!")
        return 0

    run = ("run", "--model", "served", "--dataset", "photos", "--prompt", "mine", "--prompt", "simple", "--no-publish")
    chat_server.fault = change
    done = eve(*run, home=daemon.settings.home)
    assert done.returncode == 0, done.stderr
    assert observations(daemon.settings, daemon.instance) == {"photos.mine"}
    assert eve(*run, home=daemon.settings.home).returncode == 0
    assert observations(daemon.settings, daemon.instance) == set()


def test_a_model_whose_entry_has_just_gone_hides_no_other(daemon: Daemon):
    entries = yaml.safe_load((daemon.settings.home / "models.yaml").read_text())
    (daemon.settings.home / "models.yaml").write_text(yaml.safe_dump({"steady": entries["steady"]}))
    (daemon.settings.home / "checkpoints" / "steady" / "more.json").write_text("{}")
    for key in ("changing", "steady"):
        observed = observe([revisions.model_revision], instance=daemon.instance, partition_key=key, resources={"settings": daemon.settings})
        assert observed.success
    assert observations(daemon.settings, daemon.instance) == set()


def test_a_changed_setting_of_an_entry_is_a_change_of_its_model(daemon: Daemon, add_model: Callable[..., None]):
    assert daemon.requested() == set()
    add_model("changing", backend="transformers", id="tiny", path="checkpoints/changing", description="in other words")
    assert daemon.requested() == set()
    add_model("changing", backend="transformers", id="tiny", path="checkpoints/changing", parameters={"max_new_tokens": 7})
    assert daemon.requested() == partitions(model="changing")


def test_a_grown_dataset_is_a_change_of_its_tasks(daemon: Daemon, photographs: Path):
    assert daemon.requested() == set()
    settings, warehouse = daemon.settings, Warehouse.of(daemon.settings)
    Image.new("RGB", (32, 32), "navy").save(photographs / "fear" / "new.jpg")
    build_images(dataset_entry("photos", settings), settings, warehouse)
    build_items(dataset_entry("photos", settings), settings, warehouse)
    assert daemon.requested() == partitions()


def test_a_model_that_is_gone_is_a_failed_check_once_and_asks_nothing(daemon: Daemon):
    assert daemon.requested() == set()
    assert daemon.check("folders_known") == (1, True, "all known")
    folder = daemon.settings.home / "checkpoints" / "changing"
    folder.rename(folder.with_name("away"))
    assert daemon.requested() == set()
    n_records, passed, told = daemon.check("folders_known")
    assert (n_records, passed) == (2, False)
    assert told.startswith("changing: Model 'changing' (tiny) cannot be reached")
    assert daemon.requested() == set()
    assert daemon.check("folders_known")[0] == 2, "the same is not said again"
    folder.with_name("away").rename(folder)
    assert daemon.requested() == set(), "it came back as it was"
    assert daemon.check("folders_known")[:2] == (3, True)


def test_a_task_without_its_images_is_a_failed_check(daemon: Daemon):
    Warehouse.of(daemon.settings).file("benchmark_items", "photos").unlink()
    assert daemon.requested() == set()
    n_records, passed, told = daemon.check("tasks_known", revisions.TASK)
    assert (n_records, passed) == (1, False)
    assert "photos.mine: Subset 'photos' is not materialized" in told


def test_an_endpoint_that_lists_nothing_is_a_failed_check(daemon: Daemon, chat_server: ChatServer):
    """The chat server knows no list of models."""
    list(ask_cells([Cell("served", "photos", "simple")], daemon.settings))
    n_seen = len(chat_server.seen)
    daemon.tick(automation.remote_revisions)
    n_records, passed, told = daemon.check("services_known")
    assert (n_records, passed) == (1, False)
    assert f"served: What {chat_server.url} serves cannot be read" in told
    daemon.tick(automation.remote_revisions)
    assert daemon.check("services_known")[0] == 1
    assert len(chat_server.seen) == n_seen


def test_the_checks_can_be_run_by_hand(daemon: Daemon):
    result = daemon.definitions.resolve_job_def("look").execute_in_process(instance=daemon.instance)
    assert {check.check_name: check.passed for check in result.get_asset_check_evaluations()} == {
        "folders_known": True, "services_known": True, "tasks_known": True,
    }  # fmt: skip


def test_files_that_appear_become_partitions_and_those_that_go_leave(daemon: Daemon, photographs: Path, add_model: Callable[..., None]):
    def requested() -> list[tuple[str, str, set[str]]]:
        found = daemon.tick(automation.registered_partitions).dynamic_partitions_requests
        return [(type(one).__name__.partition("Dynamic")[0], one.partitions_def_name, set(one.partition_keys)) for one in found]

    assert requested() == []
    add_model("later", backend="openai", id="x")
    write = (daemon.settings.home / "prompts" / "second.yaml").write_text
    write((daemon.settings.home / "prompts" / "mine.yaml").read_text())
    add_dataset("more", "folder", photographs, daemon.settings, labels="mikels")
    found = {dimension: keys for _, dimension, keys in requested()}
    assert found["model"] == {"later"}
    assert found["dataset"] == {"more"}
    assert {"photos.second", "more.mine", "more.second", "more.simple"} <= found["task"]
    (daemon.settings.home / "models.yaml").unlink()
    assert ("Delete", "model", {"changing", "steady", "served"}) in requested()


def break_entries(settings: Settings) -> None:
    """Break the entry of one model, and the file of one prompt, as an editor does in the middle of a word."""
    entries = yaml.safe_load((settings.home / "models.yaml").read_text())
    (settings.home / "models.yaml").write_text(yaml.safe_dump(entries | {"changing": {"backend": "transformers", "idd": "tiny"}}))
    (settings.home / "prompts" / "mine.yaml").write_text("answer_key: [")


def test_a_broken_entry_keeps_its_partitions_and_holds_up_no_other(daemon: Daemon, add_model: Callable[..., None]):
    settings, instance = daemon.settings, daemon.instance
    assert daemon.requested() == set()
    before = {name: instance.get_dynamic_partitions(name) for name in ("model", "task")}
    whole = {file: file.read_text() for file in (settings.home / "models.yaml", settings.home / "prompts" / "mine.yaml")}
    break_entries(settings)
    seen = daemon.tick(automation.registered_partitions)
    assert seen.dynamic_partitions_requests == []
    assert "models.yaml: entry 'changing' is not valid: id: Field required (line" in seen.skip_message
    assert "mine.yaml cannot be read" in seen.skip_message
    sync_partitions(instance, settings)
    assert {name: instance.get_dynamic_partitions(name) for name in ("model", "task")} == before

    assert daemon.requested() == set()
    assert daemon.check("folders_known")[1] is False
    assert "changing: " in daemon.check("folders_known")[2]
    assert "mine: " in daemon.check("tasks_known", revisions.TASK)[2]
    (settings.home / "checkpoints" / "steady" / "more.json").write_text("{}")
    assert daemon.requested() == {partition_of(Cell("steady", "photos", prompt)) for prompt in ("mine", "simple")}, "as if all were whole"

    add_model("later", backend="openai", id="x")
    [request] = daemon.tick(automation.registered_partitions).dynamic_partitions_requests
    assert request.partition_keys == ["later"]
    for file, text in whole.items():
        file.write_text(text)
    assert daemon.requested() == set(), "nothing has changed"
    assert daemon.check("folders_known")[1:] == (True, "all known")


def test_a_broken_dataset_keeps_the_partitions_of_its_subsets(daemon: Daemon):
    (daemon.settings.home / "datasets" / "photos.yaml").write_text("reader: folder")
    seen = daemon.tick(automation.registered_partitions)
    assert seen.dynamic_partitions_requests == []
    assert "photos.yaml: entry 'photos' is not valid" in seen.skip_message
    assert daemon.requested() == set()
    assert "photos: " in daemon.check("tasks_known", revisions.TASK)[2]


def test_a_models_yaml_that_is_no_yaml_keeps_all_partitions(daemon: Daemon):
    assert daemon.requested() == set()
    file = daemon.settings.home / "models.yaml"
    whole = file.read_text()
    file.write_text(whole + "]")
    write = (daemon.settings.home / "prompts" / "second.yaml").write_text
    write((daemon.settings.home / "prompts" / "mine.yaml").read_text())
    seen = daemon.tick(automation.registered_partitions)
    assert {request.partitions_def_name for request in seen.dynamic_partitions_requests} == {"task"}
    assert "models.yaml cannot be read" in seen.skip_message
    for sensor in (automation.local_revisions, automation.remote_revisions):
        daemon.tick(sensor)
    assert "entries: " in daemon.check("folders_known")[2]
    file.write_text(whole)
    assert daemon.requested() == set()


def test_cells_of_a_broken_entry_fail_and_the_others_are_asked(prepared: Settings, chat_server: ChatServer, add_model: Callable[..., None]):
    write_prompt(prepared, TEXT)
    cells = [Cell("served", "photos", prompt) for prompt in ("mine", "simple")]
    with open_instance(prepared) as instance:
        sync_partitions(instance, prepared)
        (prepared.home / "prompts" / "mine.yaml").write_text("answer_key: [")
        with pytest.raises(EveError, match=r"(?s)served x photos\.mine.*mine\.yaml cannot be read"):
            Launcher(build_definitions(prepared), instance, prepared).evaluate(cells)
        assert instance.get_materialized_partitions(dg.AssetKey("answers")) == {partition_of(cells[1])}
    assert len(chat_server.seen) == 24


def test_the_weekly_schedule_leaves_out_cells_of_broken_entries(daemon: Daemon):
    def requested() -> set[tuple[str, str]]:
        context = dg.build_schedule_context(daemon.instance, resources={"settings": daemon.settings})
        requests = automation.weekly_evaluation.evaluate_tick(context).run_requests
        return {(request.tags[ASSET_PARTITION_RANGE_START_TAG], request.tags[ASSET_PARTITION_RANGE_END_TAG]) for request in requests}

    first, last = (Cell("", "photos", prompt) for prompt in ("simple", "mine"))
    assert requested() == {
        (partition_of(first._replace(model=model)), partition_of(last._replace(model=model))) for model in ("changing", "steady")
    }
    break_entries(daemon.settings)
    only = partition_of(first._replace(model="steady"))
    assert requested() == {(only, only)}


def test_the_weekly_schedule_asks_what_lacks_a_reply(prepared: Settings, chat_server: ChatServer, add_model: Callable[..., None]):
    cell = Cell("served", "photos", "simple")

    def requests() -> list[dg.RunRequest]:
        with open_instance(prepared) as instance:
            sync_partitions(instance, prepared)
            context = dg.build_schedule_context(instance, resources={"settings": prepared})
            return automation.weekly_evaluation.evaluate_tick(context).run_requests

    add_model("served", backend="openai", id="stub", base_url=chat_server.url, automation={})
    chat_server.fault = lambda number: 400 if number == 3 else 0
    list(ask_cells([cell], prepared))
    [request] = requests()
    assert request.tags[ASSET_PARTITION_RANGE_START_TAG] == partition_of(cell)
    assert request.tags.items() >= automation.AUTOMATED.items()
    list(ask_cells([cell], prepared))
    assert requests() == []
