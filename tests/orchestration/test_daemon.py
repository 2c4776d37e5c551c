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

from eve_pipeline.orchestration.definitions import build_definitions
from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.orchestration.launching import Launcher
from eve_pipeline.orchestration.partitions import partition_of
from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.query import run_query
from tests.shell import EVE, eve

PATIENCE_S = 300
ROW = [Cell(model, "photos", prompt) for model in ("changing", "steady") for prompt in ("mine", "simple")]
CHANGES = "select model, prompt, changed, n_pairs from marts.revision_comparison where scoring = 'strict'"
MINE = 'Which of these emotions does the picture evoke: $labels?\nAnswer only with JSON: {"prediction": "<emotion>"}\n'


@pytest.fixture
def lived_in(settings: Settings, photographs: Path) -> Settings:
    """Settings of an EVE_HOME in which two local models were asked two prompts and the results published."""
    models, home = settings.assets_data / "demo_models", settings.home
    home.mkdir()
    for key in ("changing", "steady"):
        shutil.copytree(models / "demo-llava-small", home / "checkpoints" / key)
    entry = {"backend": "transformers", "id": "tiny", "parameters": {"max_new_tokens": 40}, "limits": {"batch_size": 64}}
    (home / "models.yaml").write_text(yaml.safe_dump({key: entry | {"path": f"checkpoints/{key}"} for key in ("changing", "steady")}))
    write_prompt(home, MINE)
    succeed("datasets", "add", "photos", "--reader", "folder", "--path", str(photographs), "--labels", "mikels", home=home)
    succeed("run", "--model", "changing", "--model", "steady", "--subset", "photos", "--prompt", "mine", "--prompt", "simple", home=home)
    return settings


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


def ticks(instance: dg.DagsterInstance, sensor: str) -> int:
    """Return how often a sensor has looked, without an error."""
    states = [state for state in instance.all_instigator_state() if state.instigator_name == sensor]
    found = [tick for state in states for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1000)]
    assert not [tick.error for tick in found if tick.error]
    return sum(tick.is_completed for tick in found)


def wait_for(holds: Callable[[], bool], what: str, home: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until:
            pytest.fail(f"{what} did not happen within {PATIENCE_S} s:\n{(home / 'ui.log').read_text()[-5000:]}")
        time.sleep(1)


def wait_for_ticks(instance: dg.DagsterInstance, home: Path) -> None:
    """Wait until every sensor has looked twice more, and no run is under way."""
    for sensor in ("local_revisions", "re_evaluation", "published_results"):
        seen = ticks(instance, sensor)
        wait_for(lambda sensor=sensor, seen=seen: ticks(instance, sensor) >= seen + 2, f"{sensor} looking twice", home)


def published_after(settings: Settings, before: object) -> bool:
    return Warehouse.of(settings).published_at != before


def test_what_changes_is_asked_again_and_nothing_else(lived_in: Settings, photographs: Path):
    home, warehouse = lived_in.home, Warehouse.of(lived_in)
    with open_instance(lived_in) as instance:
        asked_once = Counter(map(partition_of, ROW))
        assert times_asked(instance) == asked_once
        with ui(home):
            (home / "checkpoints" / "changing" / "config.json").touch()
            wait_for_ticks(instance, home)
            assert times_asked(instance) == asked_once  # neither the start nor the touched file asked anything

            published = warehouse.published_at
            newer = lived_in.assets_data / "demo_models" / "demo-llava-base"
            shutil.copytree(newer, home / "checkpoints" / "changing", dirs_exist_ok=True)
            write_prompt(home, MINE, key="new")
            row_twice = asked_once + Counter(partition_of(cell) for cell in ROW if cell.model == "changing")
            wait_for(lambda: times_asked(instance) == row_twice, "the changed model's row", home)
            wait_for(lambda: published_after(lived_in, published), "a publication", home)
            wait_for_ticks(instance, home)
            assert times_asked(instance) == row_twice
            assert "photos.new" in instance.get_dynamic_partitions("task")  # appeared without a restart, and was not asked
            rows = run_query(warehouse.database, CHANGES)
            assert set(rows.select("model", "prompt", "changed").iter_rows()) == {
                ("changing", "mine", "model"),
                ("changing", "simple", "model"),
            }
            assert set(rows["n_pairs"]) == {24}

        write_prompt(home, f"Look closely. {MINE}")
        Image.fromarray(np.full((32, 32, 3), 77, np.uint8)).save(photographs / "awe" / "new.png")
        Launcher(build_definitions(lived_in), instance, lived_in).prepare("photos")
        published = warehouse.published_at
        with ui(home):
            wait_for(lambda: published_after(lived_in, published), "a publication", home)
            all_again = row_twice + asked_once
            wait_for(lambda: times_asked(instance) == all_again, "the edited prompt and the grown dataset", home)
            wait_for_ticks(instance, home)
            assert times_asked(instance) == all_again
        n_asked = run_query(warehouse.database, "select model, prompt, n_items from marts.weighted_f1 where scoring = 'strict'")
        assert set(n_asked["n_items"]) == {25}
        assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}
