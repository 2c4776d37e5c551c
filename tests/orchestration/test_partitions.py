from collections.abc import Callable

import dagster as dg
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.orchestration.partitions import partition_of, ranges_of, sync_partitions
from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings

PROMPTS = [f"p{number}" for number in range(6)]


def cells_in(first: str, last: str, tasks: list[str]) -> set[Cell]:
    (model, first_task), (same_model, last_task) = first.split("|"), last.split("|")
    assert model == same_model
    return {Cell.of(model, task) for task in tasks[tasks.index(first_task) : tasks.index(last_task) + 1]}


@given(st.sets(st.builds(Cell, st.sampled_from(["a", "b"]), st.sampled_from(["s", "t"]), st.sampled_from(PROMPTS))))
def test_ranges_hold_exactly_the_cells_once(cells: set[Cell]):
    tasks = [f"{subset}.{prompt}" for subset in ("s", "t") for prompt in PROMPTS]
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("task", tasks)
        ranges = [cells_in(first, last, tasks) for first, last in ranges_of(cells, instance)]
    assert set().union(*ranges) == cells
    assert sum(map(len, ranges)) == len(cells)


def test_a_whole_row_is_one_range(settings: Settings):
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("task", ["s.p0", "s.p1", "t.p0"])
        row = [Cell("m", "t", "p0"), Cell("m", "s", "p1"), Cell("m", "s", "p0")]
        assert ranges_of(row, instance) == [(partition_of(Cell("m", "s", "p0")), partition_of(Cell("m", "t", "p0")))]


def test_partitions_follow_the_registries(settings: Settings, add_model: Callable[..., None]):
    with dg.DagsterInstance.ephemeral() as instance:
        add_model("mine", backend="openai", id="x")
        sync_partitions(instance, settings)
        assert "mine" in instance.get_dynamic_partitions("model")
        assert "sample-hard.simple" in instance.get_dynamic_partitions("task")
        (settings.home / "models.yaml").unlink()
        sync_partitions(instance, settings)
        assert "mine" not in instance.get_dynamic_partitions("model")
