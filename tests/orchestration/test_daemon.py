"""A real `eve ui`, left alone: what changes on disk is asked again and published, and nothing else is."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
import yaml
from PIL import Image

from eve_pipeline.orchestration.automation import UNFINISHED
from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.orchestration.partitions import partition_of
from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.query import run_query
from tests.shell import EVE, eve

PATIENCE_S = 300  # of a machine that is busy with other things
ROW = [Cell(model, "photos", prompt) for model in ("changing", "steady") for prompt in ("mine", "simple")]
CHANGES = "select model, prompt, changed, n_pairs from marts.revision_comparison where scoring = 'strict' order by all"
ITEMS = "select distinct n_items from marts.weighted_f1 where scoring = 'strict'"
MINE = 'Which of these emotions does the picture evoke: $labels?\nAnswer only with JSON: {"prediction": "<emotion>"}\n'


@pytest.fixture
def lived_in(settings: Settings, photographs: Path) -> Settings:
    """Settings of an EVE_HOME in which two local models were asked two prompts and the results published."""
    models, home = settings.assets_data / "demo_models", settings.home
    home.mkdir()
    for key in ("changing", "steady"):
        shutil.copytree(models / "demo-llava-small", home / "checkpoints" / key)
    write_models(home, "changing", "steady")
    write_prompt(home, MINE)
    succeed("datasets", "add", "photos", "--reader", "folder", "--path", str(photographs), "--labels", "mikels", home=home)
    succeed("run", "--model", "changing", "--model", "steady", "--subset", "photos", "--prompt", "mine", "--prompt", "simple", home=home)
    return settings


def write_models(home: Path, *keys: str) -> None:
    entry = {"backend": "transformers", "id": "tiny", "parameters": {"max_new_tokens": 40}, "limits": {"batch_size": 64}}
    (home / "models.yaml").write_text(yaml.safe_dump({key: entry | {"path": f"checkpoints/{key}"} for key in keys}))


def write_prompt(home: Path, text: str, key: str = "mine") -> None:
    (home / "prompts").mkdir(exist_ok=True)
    (home / "prompts" / f"{key}.yaml").write_text(yaml.safe_dump({"description": "A user's.", "answer_key": "prediction", "text": text}))


def succeed(*arguments: str, home: Path) -> None:
    done = eve(*arguments, home=home)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def ui(home: Path) -> Iterator[None]:
    """Run `eve ui`, web server and daemon, in a session of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (home / "ui.log").open("a") as log:
        process = subprocess.Popen(
            [EVE, "ui", "--port", str(port)], env=os.environ | {"EVE_HOME": str(home)}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def times_asked(instance: dg.DagsterInstance) -> Counter[str]:
    """Return how often each cell's responses were materialized."""
    events = instance.fetch_materializations(dg.AssetKey("responses"), limit=1000).records
    return Counter(str(event.partition_key) for event in events)


def failed_ticks(instance: dg.DagsterInstance) -> list[str]:
    """Return the errors of all sensors and schedules."""
    states = instance.all_instigator_state()
    ticks = [tick for state in states for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1000)]
    return [str(tick.error) for tick in ticks if tick.error]


def wait_for(holds: Callable[[], bool], what: str, home: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until:
            pytest.fail(f"{what} did not happen within {PATIENCE_S} s:\n{(home / 'ui.log').read_text()[-5000:]}")
        time.sleep(0.5)


def keys(instance: dg.DagsterInstance) -> set[str]:
    """Return the partitions of all dimensions."""
    return {key for dimension in ("model", "task", "dataset") for key in instance.get_dynamic_partitions(dimension)}


def test_what_changes_is_asked_again_and_nothing_else(lived_in: Settings, photographs: Path):
    home, warehouse = lived_in.home, Warehouse.of(lived_in)
    with open_instance(lived_in) as instance:

        def wait_until_asked(cells: Counter[str], what: str) -> None:
            wait_for(lambda: times_asked(instance).total() >= cells.total(), what, home)
            assert times_asked(instance) == cells

        expected = Counter(map(partition_of, ROW))
        assert times_asked(instance) == expected

        for file in [*(home / "checkpoints" / "steady").iterdir(), *(home / "prompts").iterdir()]:
            file.touch()
        with ui(home):  # neither the start, nor a touched file, nor what appears asks anything
            newer, published = lived_in.assets_data / "demo_models" / "demo-llava-base", warehouse.published_at
            shutil.copytree(newer, home / "checkpoints" / "changing", dirs_exist_ok=True)
            write_prompt(home, MINE, key="new")
            write_models(home, "changing", "steady", "later")
            succeed("datasets", "add", "more", "--reader", "folder", "--path", str(photographs), "--labels", "mikels", home=home)
            wait_for(lambda: {"later", "more", "photos.new", "more.mine"} <= keys(instance), "new partitions", home)
            expected += Counter(partition_of(cell) for cell in ROW if cell.model == "changing")
            wait_until_asked(expected, "the changed model's row")
            wait_for(lambda: warehouse.published_at != published, "a publication", home)
            assert run_query(warehouse.database, CHANGES).rows() == [("changing", "mine", "model", 24), ("changing", "simple", "model", 24)]

        write_prompt(home, f"Look closely. {MINE}")
        with ui(home):  # a restart asks nothing but what has changed meanwhile
            expected += Counter(partition_of(cell) for cell in ROW if cell.prompt == "mine")
            wait_until_asked(expected, "the edited prompt")
            Image.fromarray(np.full((32, 32, 3), 77, np.uint8)).save(photographs / "awe" / "new.png")
            succeed("datasets", "prepare", "photos", home=home)
            expected += Counter(map(partition_of, ROW))
            wait_until_asked(expected, "the grown dataset")
            wait_for(lambda: set(run_query(warehouse.database, ITEMS)["n_items"]) == {25}, "a publication of all items", home)
            wait_for(lambda: not instance.get_runs_count(dg.RunsFilter(statuses=UNFINISHED)), "an end of all runs", home)
        assert times_asked(instance) == expected
        assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}
        assert not failed_ticks(instance)
