"""When results are published without a hand."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from ulid import ULID

from eve_pipeline.orchestration.automation import PAUSE_SECONDS, published_results
from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings) as instance:
        yield instance


def told(settings: Settings, instance: dg.DagsterInstance) -> tuple[str | None, int]:
    """Return why nothing is published, and how many publications are requested."""
    context = dg.build_sensor_context(instance, resources={"settings": settings})
    found = published_results.evaluate_tick(context)
    return found.skip_message, len(found.run_requests or ())


def written(file: Path, seconds_ago: float) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    for path in (file, *file.parents[:2]):
        os.utime(path, (time.time() - seconds_ago, time.time() - seconds_ago))


def test_nothing_is_published_before_there_is_something(settings: Settings, instance: dg.DagsterInstance):
    assert told(settings, instance) == ("Nothing is materialized yet.", 0)


def test_what_was_written_since_the_last_publication_is_published(settings: Settings, instance: dg.DagsterInstance):
    warehouse = Warehouse.of(settings)
    database = warehouse.publications / str(ULID()) / "eve.duckdb"
    written(database, 0)
    warehouse.database.symlink_to(database)
    written(warehouse.file("images", "earlier"), 60)
    written(warehouse.file("requests", "m", "s.p"), -60)
    assert told(settings, instance) == ("The published database holds all that there is.", 0), "requests show in answers"
    written(warehouse.file("answers", "m", "s.p"), -60)
    assert told(settings, instance) == (None, 1)


def test_what_was_removed_since_the_last_publication_is_published(settings: Settings, instance: dg.DagsterInstance):
    warehouse = Warehouse.of(settings)
    removed = warehouse.file("answers", "m", "s.p")
    written(removed, 60)
    database = warehouse.publications / str(ULID.from_timestamp(time.time() - 30)) / "eve.duckdb"
    written(database, 30)
    warehouse.database.symlink_to(database)
    assert told(settings, instance) == ("The published database holds all that there is.", 0)
    removed.unlink()
    assert told(settings, instance) == (None, 1)


def test_somebody_who_is_annotating_is_waited_for(settings: Settings, instance: dg.DagsterInstance):
    file = Warehouse.of(settings).file("annotations", "study", "ada")
    written(file, PAUSE_SECONDS / 2)
    assert told(settings, instance) == ("Nothing is materialized yet.", 0)
    written(file, PAUSE_SECONDS + 60)
    assert told(settings, instance) == (None, 1)
