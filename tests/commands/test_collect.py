from collections.abc import Callable, Iterator

import dagster as dg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from eve_pipeline.cli import app
from eve_pipeline.orchestration.automation import collect, collected_batches
from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.orchestration.revisions import look, news
from eve_pipeline.settings import Settings
from tests.batch_server import BatchServer

RUN = ("run", "--model", "batched", "--dataset", "photos", "--prompt", "simple", "--no-publish")
PARTITION = {"batched|photos.simple"}


@pytest.fixture
def server(add_model: Callable[..., None]) -> Iterator[BatchServer]:
    with BatchServer() as server:
        add_model("batched", backend="openai_batch", id="stub", base_url=server.url)
        yield server


@pytest.fixture
def eve(prepared: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("EVE_HOME", str(prepared.home))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, [*arguments])


def materialized(settings: Settings, table: str) -> set[str]:
    with open_instance(settings) as instance:
        return instance.get_materialized_partitions(dg.AssetKey(table))


def test_run_hands_in_and_collect_fetches_and_publishes(eve: Callable[..., Result], server: BatchServer, prepared: Settings):
    assert eve("collect").output == "No batch is open.\n"
    ran = eve(*RUN)
    assert ran.exit_code == 0, ran.output
    assert "24 requests are with batches" in ran.output
    assert materialized(prepared, "responses") == set()
    assert "in_progress" in eve("collect").output

    server.end("batch_1", "expired", answered=20)
    shown = eve("collect").output
    assert "expired" in shown
    assert "Published" in shown
    assert eve("sql", "select n_ok, n_missing from marts.coverage", "--format", "csv").output == "n_ok,n_missing\n20,4\n"
    assert "4 requests are with batches" in eve(*RUN).output
    server.end("batch_2")
    assert eve("collect", "--no-publish").exit_code == 0
    assert materialized(prepared, "responses") == materialized(prepared, "answers") == PARTITION


def test_a_given_up_batch_ends_with_1_and_its_reason(eve: Callable[..., Result], server: BatchServer, prepared: Settings):
    eve(*RUN)
    server.fail("batch_1", "Enqueued token limit reached")
    told = eve("collect", "--no-publish")
    assert told.exit_code == 1
    assert "Enqueued token limit reached" in told.output


def test_the_sensor_launches_the_job_when_a_batch_has_ended(eve: Callable[..., Result], server: BatchServer, prepared: Settings):
    def look() -> dg.SensorEvaluationContext:
        return dg.build_sensor_context(resources={"settings": prepared})

    assert isinstance(collected_batches(look()), dg.SkipReason)
    eve(*RUN)
    assert isinstance(collected_batches(look()), dg.SkipReason)
    server.end("batch_1")
    assert isinstance(collected_batches(look()), dg.RunRequest)
    with open_instance(prepared) as instance:
        assert collect.execute_in_process(instance=instance, resources={"settings": prepared}).success
    assert materialized(prepared, "answers") == PARTITION
    assert isinstance(collected_batches(look()), dg.SkipReason)


def test_what_changes_while_a_batch_is_open_is_still_to_be_seen(eve: Callable[..., Result], server: BatchServer, prepared: Settings):
    def changed_tasks() -> set[str]:
        with open_instance(prepared) as instance:
            events = news(*look("tasks_known", prepared), instance)
        return {str(event.partition) for event in events if isinstance(event, dg.AssetObservation)}

    eve(*RUN)
    assert changed_tasks() == set(), "it was recorded when it was asked"
    prompts, shipped = prepared.home / "prompts", prepared.assets_data / "prompts" / "simple.yaml"
    prompts.mkdir()
    (prompts / "simple.yaml").write_text(shipped.read_text().replace("prediction", "emotion"))
    server.end("batch_1")
    assert eve("collect", "--no-publish").exit_code == 0
    assert materialized(prepared, "answers") == PARTITION
    assert changed_tasks() == {"photos.simple"}
