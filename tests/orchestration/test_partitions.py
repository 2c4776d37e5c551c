from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.orchestration.partitions import partition_of, ranges_of, sync_partitions
from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings

MODELS = ["a", "b", "c"]
TASKS = [f"{subset}.{prompt}" for subset in ("s", "t") for prompt in ("p0", "p1", "p2")]


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("model", MODELS)
        instance.add_dynamic_partitions("task", TASKS)
        yield instance


def between(keys: list[str], first: str, last: str) -> list[str]:
    return keys[keys.index(first) : keys.index(last) + 1]


def cells_in(first: str, last: str) -> set[Cell]:
    (model, task), (last_model, last_task) = first.split("|"), last.split("|")
    assert model == last_model or task == last_task
    return {Cell.of(m, t) for m in between(MODELS, model, last_model) for t in between(TASKS, task, last_task)}


@given(st.sets(st.builds(Cell.of, st.sampled_from(MODELS), st.sampled_from(TASKS))))
def test_ranges_hold_exactly_the_cells_once(instance: dg.DagsterInstance, cells: set[Cell]):
    ranges = [cells_in(first, last) for first, last in ranges_of(cells, instance)]
    assert set().union(*ranges) == cells
    assert sum(map(len, ranges)) == len(cells)


def test_a_whole_row_is_one_range(instance: dg.DagsterInstance):
    row = [Cell.of("b", task) for task in reversed(TASKS)]
    assert ranges_of(row, instance) == [(partition_of(row[-1]), partition_of(row[0]))]


def test_partitions_follow_the_registries(settings: Settings, add_model: Callable[..., None]):
    with dg.DagsterInstance.ephemeral() as instance:
        add_model("mine", backend="openai", id="x")
        sync_partitions(instance, settings)
        assert "mine" in instance.get_dynamic_partitions("model")
        assert "sample-hard.simple" in instance.get_dynamic_partitions("task")
        (settings.home / "models.yaml").unlink()
        sync_partitions(instance, settings)
        assert "mine" not in instance.get_dynamic_partitions("model")


def test_processes_that_start_at_once_do_not_refuse_each_others_keys(settings: Settings, add_model: Callable[..., None]) -> None:
    for number in range(20):
        add_model(f"m{number}", backend="openai", id="stub", base_url="http://127.0.0.1:9/v1")
    with open_instance(settings):
        barrier = Barrier(6)

    def start(_: int) -> None:
        with open_instance(settings) as instance:
            instance.get_dynamic_partitions("model")
            barrier.wait()
            sync_partitions(instance, settings)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(start, range(6)))
    with open_instance(settings) as instance:
        keys = instance.get_dynamic_partitions("model")
        assert len(keys) == len(set(keys))
        assert {f"m{number}" for number in range(20)} <= set(keys)
