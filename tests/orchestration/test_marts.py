"""Publishing through Dagster."""

import dagster as dg
import duckdb
import polars as pl

from eve_pipeline.orchestration.definitions import build_definitions
from eve_pipeline.orchestration.launching import Launcher
from eve_pipeline.responses.answering import answer_cell
from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from tests.chat_server import ChatServer

CELL = Cell("served", "photos", "simple")


def test_prepare_evaluate_publish_and_a_failing_test(prepared: Settings, chat_server: ChatServer):
    with dg.DagsterInstance.ephemeral() as instance:
        launcher = Launcher(build_definitions(prepared), instance, prepared)
        launcher.prepare("photos")
        launcher.evaluate([CELL])
        launcher.publish()
        database = Warehouse.of(prepared).database
        assert len(chat_server.seen) == 24
        with duckdb.connect(database.resolve(), read_only=True) as connection:
            assert connection.sql("select n_ok from marts.coverage").fetchall() == [(24,)]
        assert instance.get_latest_materialization_event(dg.AssetKey("weighted_f1")) is not None
        report = instance.get_latest_materialization_event(dg.AssetKey("report"))
        assert report is not None
        assert report.asset_materialization is not None
        assert {"file", "Leaderboard"} <= report.asset_materialization.metadata.keys()
        published = database.resolve()

        _break_the_answers(prepared)
        failed = launcher.definitions.resolve_job_def("publish").execute_in_process(instance=instance, raise_on_error=False)
        assert not failed.success
        assert not failed.get_asset_materialization_events()
        assert any(not check.passed for check in failed.get_asset_check_evaluations())
        assert database.resolve() == published
    answer_cell(CELL, prepared)


def _break_the_answers(settings: Settings) -> None:
    file = Warehouse.of(settings).file("answers", CELL.model, CELL.task)
    answers = pl.read_parquet(file).with_columns(status=pl.lit("guessed"))
    answers.write_parquet(file, metadata=pl.read_parquet_metadata(file))
