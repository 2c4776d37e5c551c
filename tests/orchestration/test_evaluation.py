"""The grid through Dagster, against a real server."""

import json
from collections.abc import Callable, Iterator

import dagster as dg
import pytest
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from eve_pipeline.orchestration.assets.evaluation import SERVED_AS_ONE, WITHIN_BUDGET, evaluation
from eve_pipeline.orchestration.automation import AUTOMATED
from eve_pipeline.orchestration.partitions import partition_of, sync_partitions
from eve_pipeline.quality.records import record_file
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.locks import cell_lock
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from tests.chat_server import ChatServer

N = 24
SIMPLE = Cell("served", "photos", "simple")
POSITIVE = Cell("served", "photos", "positive_persona")


@pytest.fixture
def instance(prepared: Settings) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        sync_partitions(instance, prepared)
        yield instance


def materialize(
    settings: Settings, instance: dg.DagsterInstance, first: Cell, last: Cell, selection: list[str] | None = None, **more_tags: str
) -> dg.ExecuteInProcessResult:
    tags = {ASSET_PARTITION_RANGE_START_TAG: partition_of(first), ASSET_PARTITION_RANGE_END_TAG: partition_of(last), **more_tags}
    return dg.materialize(
        [evaluation], instance=instance, tags=tags, resources={"settings": settings}, raise_on_error=False, selection=selection
    )


def materialized(instance: dg.DagsterInstance, table: str) -> set[str]:
    return instance.get_materialized_partitions(dg.AssetKey(table))


def test_one_cell(prepared: Settings, instance: dg.DagsterInstance, chat_server: ChatServer):
    result = dg.materialize([evaluation], instance=instance, partition_key=partition_of(SIMPLE), resources={"settings": prepared})
    assert result.success
    assert len(chat_server.seen) == N
    for table in ("configs", "requests", "responses", "answers"):
        assert materialized(instance, table) == {partition_of(SIMPLE)}
    [answers] = [e for e in result.get_asset_materialization_events() if e.asset_key == dg.AssetKey("answers")]
    assert answers.materialization.metadata["dagster/partition_row_count"].value == N
    assert "| ok" in str(answers.materialization.metadata["statuses"].value)


def test_a_range_is_one_run_over_its_cells_alone(prepared: Settings, instance: dg.DagsterInstance, chat_server: ChatServer):
    tasks = [task for task in instance.get_dynamic_partitions("task") if task.startswith("photos.")]
    three = tasks[tasks.index("photos.negative_first") :][:3]
    assert materialize(prepared, instance, Cell.of("served", three[0]), Cell.of("served", three[-1])).success
    assert materialized(instance, "answers") == {partition_of(Cell.of("served", task)) for task in three}
    assert len(chat_server.seen) == 3 * N


def test_a_failed_cell_fails_the_run_but_not_its_row(prepared: Settings, instance: dg.DagsterInstance, chat_server: ChatServer):
    tasks = [task for task in instance.get_dynamic_partitions("task") if task.startswith("photos.")]
    row = [Cell.of("served", task) for task in tasks]
    with cell_lock(row[1], prepared):
        result = materialize(prepared, instance, row[0], row[-1])
    assert not result.success
    assert str(row[1]) in str(result.filter_events(lambda event: event.is_step_failure)[0].step_failure_data.error)
    assert materialized(instance, "answers") == {partition_of(cell) for cell in row if cell != row[1]}


def test_a_check_that_breaks_fails_its_cell_alone(prepared: Settings, instance: dg.DagsterInstance, chat_server: ChatServer):
    """The record of the first cell's last check holds a share of good answers that cannot be, which Great Expectations refuses."""
    tasks = [task for task in instance.get_dynamic_partitions("task") if task.startswith("photos.")]
    first, second = (Cell.of("served", task) for task in tasks[:2])
    assert materialize(prepared, instance, first, first).success
    file = record_file(Warehouse.of(prepared), "answers", (first.model, first.task))
    record = json.loads(file.read_text())
    file.write_text(json.dumps(record | {"version": 0, "figures": record["figures"] | {"ok_rate": 3.0}}))
    result = materialize(prepared, instance, first, second)
    [failure] = result.filter_events(lambda event: event.is_step_failure)
    assert "1 of 2 cells failed, the others are done" in str(failure.step_failure_data.error)
    assert f"{{'{first}': 'ValidationError: " in str(failure.step_failure_data.error)
    assert materialized(instance, "answers") == {partition_of(first), partition_of(second)}
    assert len(chat_server.seen) == 2 * N


def test_answers_alone_are_read_again_and_nothing_is_asked(prepared: Settings, instance: dg.DagsterInstance, chat_server: ChatServer):
    materialize(prepared, instance, SIMPLE, SIMPLE)
    assert materialize(prepared, instance, SIMPLE, SIMPLE, ["answers"]).success
    assert len(chat_server.seen) == N


def test_a_range_across_both_dimensions_is_refused(prepared: Settings, instance: dg.DagsterInstance):
    result = materialize(prepared, instance, SIMPLE, Cell("gpt-4o", "photos", "explanation"))
    assert not result.success


def test_configs_alone_never_ask_a_model(prepared: Settings, instance: dg.DagsterInstance, chat_server: ChatServer):
    assert not materialize(prepared, instance, SIMPLE, SIMPLE, ["configs"]).success
    assert not chat_server.seen


def test_answers_of_a_cell_that_was_never_asked_fail(prepared: Settings, instance: dg.DagsterInstance):
    assert not materialize(prepared, instance, SIMPLE, SIMPLE, ["answers"]).success
    assert not materialized(instance, "answers")


def test_a_changed_build_is_a_warning(prepared: Settings, instance: dg.DagsterInstance, chat_server: ChatServer):
    def served_as_one(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
        [check] = [check for check in result.get_asset_check_evaluations() if check.check_name == SERVED_AS_ONE]
        return check

    assert served_as_one(materialize(prepared, instance, SIMPLE, SIMPLE)).passed
    chat_server.fault = lambda number: 400 if number <= 2 * N else 0
    materialize(prepared, instance, POSITIVE, POSITIVE)
    chat_server.fault, chat_server.fingerprint = (lambda _: 0), "another build"
    assert served_as_one(materialize(prepared, instance, POSITIVE, POSITIVE)).passed, "errors came from nobody"
    chat_server.fault = lambda number: 400 if number % 2 else 0
    explanation = SIMPLE._replace(prompt="explanation")
    materialize(prepared, instance, explanation, explanation)
    chat_server.fault, chat_server.fingerprint = (lambda _: 0), "a third build"
    result = materialize(prepared, instance, explanation, explanation)
    check = served_as_one(result)
    assert result.success
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "a third build" in str(check.metadata["served"].value)


def test_what_exceeds_the_month_is_a_failed_check_not_a_request(
    prepared: Settings, instance: dg.DagsterInstance, chat_server: ChatServer, add_model: Callable[..., None]
):
    """Asked by hand the cell costs 24 x 0.9 USD; asked anew without a hand, 1 USD of the month is left."""
    prices = {"input_usd": 1000, "output_usd": 100_000, "read_on": "2026-11-01", "source": "a test"}
    entry = {"backend": "openai", "base_url": chat_server.url, "prices": prices, "automation": {"max_usd_per_month": N * 0.9 + 1}}
    add_model("served", id="stub", **entry)
    assert materialize(prepared, instance, SIMPLE, SIMPLE).success
    add_model("served", id="another", **entry)
    result = materialize(prepared, instance, SIMPLE, SIMPLE, **AUTOMATED)
    [check] = [check for check in result.get_asset_check_evaluations() if check.check_name == WITHIN_BUDGET]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "1.0000 are left of this month's" in str(check.description)
    assert len(chat_server.seen) == N
    assert not result.get_asset_materialization_events(), "what was not asked is not up to date"
    assert materialize(prepared, instance, SIMPLE, SIMPLE).success, "by hand it may be asked"
    assert len(chat_server.seen) == 2 * N
