"""Launch one stale cell with the daemon: an edited prompt file is noticed, asked again of an endpoint that answers at once, and stored.

Prints what passes between the edit and the end of the run, and where the run's time goes: importing packages, Great Expectations at work,
Dagster recording events, and our own code, which is importing our modules and building the definitions where all packages are imported
already, and what remains of the step that plans, asks, reads and checks. The parts are measured in processes of their own.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from statistics import median
from typing import Any, NamedTuple
from unittest.mock import patch

import dagster as dg
import numpy as np
import yaml
from PIL import Image

from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.settings import Settings

N_IMAGES, ROUNDS = 100, 3
MAX_LAUNCH_S, MAX_OWN_S, PATIENCE_S = 45.0, 2.0, 600
PROMPT = 'Which of these emotions does the picture evoke: $labels?\nAnswer only with JSON: {"prediction": "<emotion>"}\n'
PACKAGES = """
import sys, dagster
dagster.DagsterInstance.ephemeral()  # loads the storages, as every run does
import eve_pipeline.orchestration.code_location
print(*(name for name in sys.modules if not name.startswith(("eve_pipeline", "_"))))
"""
IMPORTS = """
import contextlib, importlib, sys, time
import dagster, dagster_dbt
dagster.DagsterInstance.ephemeral()
start = time.perf_counter()
for package in sys.argv[1:]:
    with contextlib.suppress(ImportError):
        importlib.import_module(package)
packages = time.perf_counter() - start
import eve_pipeline.orchestration.code_location
print(packages, time.perf_counter() - start - packages)
"""


class Run(NamedTuple):
    """Seconds since the epoch."""

    created: float
    started: float
    ended: float
    step_started: float
    step_ended: float


class Step(NamedTuple):
    """Seconds of a step, and of what of it is not our code."""

    total: float
    validating: float
    recording: float


def main() -> None:
    """Make an EVE_HOME, edit its prompt while `eve ui` runs, measure, print."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home")
        with server() as url:
            prepare(settings, url, Path(folder) / "photographs")
            with ui(settings), open_instance(settings) as instance:
                wait_for_automation(instance)
                edited = time.time()
                write_prompt(settings, f"Look closely. {PROMPT}")
                run = next_run(instance)
            first, *later = map(Step._make, json.loads(python(__file__, "--steps", str(settings.home), settings=settings).splitlines()[-1]))
        packages = python("-c", PACKAGES, settings=settings).split()
        imported = [python("-c", IMPORTS, *packages, settings=settings).split() for _ in range(ROUNDS)]
        packages_s, modules_s = (median(map(float, seconds)) for seconds in zip(*imported, strict=True))
    loaded = Step(*map(median, zip(*later, strict=True)))
    step_s = loaded.total - loaded.validating - loaded.recording
    print(f"one cell of {N_IMAGES} images, from the edit of its prompt to the end of its run: {run.ended - edited:.1f} s")
    print(f"noticed and requested after {run.created - edited:.1f} s, started after {run.started - run.created:.1f} s more")
    print(f"its step took {run.step_ended - run.step_started:.1f} s, another {first.total:.1f} s, with all imported {loaded.total:.1f} s")
    print(f"importing packages: {packages_s:.1f} s before the step, {first.total - loaded.total:.1f} s in it, Great Expectations above all")
    print(f"Great Expectations at work {loaded.validating:.2f} s, Dagster recording events {loaded.recording:.2f} s")
    print(f"our own code: modules and definitions {modules_s:.2f} s, step {step_s:.2f} s")
    tell("launch to finish", run.ended - run.created, MAX_LAUNCH_S)
    tell("our own code", modules_s + step_s, MAX_OWN_S)


def steps(settings: Settings) -> list[Step]:
    """Ask the cell again with one new prompt after the other, in this process; the first step imports what a step needs."""
    from eve_pipeline.orchestration.definitions import build_definitions
    from eve_pipeline.orchestration.launching import Launcher
    from eve_pipeline.quality import checking
    from eve_pipeline.responses.cells import Cell

    spans: dict[str, list[tuple[float, float]]] = {"validating": [], "recording": []}

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: object, **named: object) -> object:
            started = time.time()
            try:
                return function(*arguments, **named)
            finally:
                spans[name].append((started, time.time()))

        return call

    checking._validated = timed("validating", checking._validated)  # noqa: SLF001
    found = []
    with open_instance(settings) as instance:
        launcher = Launcher(build_definitions(settings), instance, settings)
        for number in range(ROUNDS + 1):
            write_prompt(settings, f"Look {number} times. {PROMPT}")
            with patch.object(instance, "handle_new_event", timed("recording", instance.handle_new_event)):
                launcher.evaluate([Cell("served", "photos", "mine")])
            [record] = instance.get_run_records(limit=1)
            [step] = instance.get_run_step_stats(record.dagster_run.run_id)
            within = {
                name: sum(end - start for start, end in ones if step.start_time <= start < step.end_time) for name, ones in spans.items()
            }
            found.append(Step(step.end_time - step.start_time, **within))
    return found


def tell(name: str, found_s: float, limit_s: float) -> None:
    """Print a figure beside its limit."""
    print(f"{name:<17} {found_s:.2f} s <= {limit_s:.0f} s{'' if found_s <= limit_s else '   MISSED'}")


@contextmanager
def server() -> Iterator[str]:
    """Yield the URL of an endpoint that answers at once."""
    port = free_port()
    with subprocess.Popen([sys.executable, Path(__file__).parent / "chat_stub.py", str(port), "--latency", "0"]) as process:
        try:
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


@contextmanager
def ui(settings: Settings) -> Iterator[None]:
    """Run web server and daemon."""
    command = [Path(sys.executable).with_name("eve"), "ui", "--port", str(free_port())]
    with (settings.home / "ui.log").open("w") as log:
        process = subprocess.Popen(command, env=environment(settings), stdout=log, stderr=log, start_new_session=True)
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment of a process that works on the settings' EVE_HOME, and keeps compiled modules as Python does by default."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"EVE_HOME": str(settings.home), "DAGSTER_HOME": str(settings.home / "dagster"), "DO_NOT_TRACK": "1"}


def python(*arguments: str, settings: Settings) -> str:
    """Return what a Python process prints."""
    return subprocess.run([sys.executable, *arguments], env=environment(settings), capture_output=True, text=True, check=True).stdout


def prepare(settings: Settings, url: str, photographs: Path) -> None:
    """Ask the cell once, as a user does."""
    random = np.random.default_rng(0)
    for number in range(N_IMAGES):
        file = photographs / ("awe", "fear")[number % 2] / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (256, 256, 3), dtype=np.uint8)).save(file)
    settings.home.mkdir()
    entry = {"backend": "openai", "id": "stub-vlm", "base_url": url, "automation": {}}
    (settings.home / "models.yaml").write_text(json.dumps({"served": entry}))
    write_prompt(settings, PROMPT)
    eve = str(Path(sys.executable).with_name("eve"))
    for command in (
        ("datasets", "add", "photos", "--reader", "folder", "--path", str(photographs), "--labels", "mikels"),
        ("run", "--model", "served", "--dataset", "photos", "--prompt", "mine"),
    ):
        subprocess.run([eve, *command], env=environment(settings), check=True, capture_output=True)


def write_prompt(settings: Settings, text: str) -> None:
    """Write the user's prompt, whole or not at all."""
    file = settings.home / "prompts" / "mine.yaml"
    file.parent.mkdir(exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(yaml.safe_dump({"description": "A user's.", "answer_key": "prediction", "text": text}))
    new.rename(file)


def wait_for_automation(instance: dg.DagsterInstance) -> None:
    """Wait until the daemon has looked at the cells, and no run is under way."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        states = [state for state in instance.all_instigator_state() if state.instigator_name == "re_evaluation"]
        ticks = [tick for state in states for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=3)]
        if sum(tick.is_completed for tick in ticks) > 1 and all(run.is_finished for run in instance.get_runs()):
            return
        time.sleep(0.5)
    raise TimeoutError


def next_run(instance: dg.DagsterInstance) -> Run:
    """Return the times of the run that automation launches."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        for record in instance.get_run_records(dg.RunsFilter(tags={"eve/automated": "true"})):
            if record.dagster_run.is_finished:
                assert record.dagster_run.is_success, record.dagster_run.run_id  # noqa: S101 - a figure of a failed run is none
                return _times(record, instance)
        time.sleep(0.2)
    raise TimeoutError


def _times(record: dg.RunRecord, instance: dg.DagsterInstance) -> Run:
    [stats] = instance.get_run_step_stats(record.dagster_run.run_id)
    return Run(record.create_timestamp.timestamp(), record.start_time, record.end_time, stats.start_time, stats.end_time)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--steps"]:
        print(json.dumps(steps(Settings(home=Path(sys.argv[2])))))
    else:
        main()
