"""What nobody needs goes once it is old; what is young, held or published stays."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from ulid import ULID

from eve_pipeline.pruning.leftovers import Leftover, find_leftovers, remove_leftovers
from eve_pipeline.quality.records import record_file, records
from eve_pipeline.quality.tables import check
from eve_pipeline.settings import Settings
from eve_pipeline.statistics.computing import VERSION
from eve_pipeline.warehouse.compaction import compact
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publication
from tests.warehouse.responses import write_part

DAY_S = 86_400


@pytest.fixture
def make(settings: Settings) -> Callable[..., Path]:
    """A function that makes a file of 1,000 bytes in EVE_HOME, so many days old."""

    def make(name: str, days: float = 0) -> Path:
        path = settings.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
        return age(path, days)

    return make


def age(path: Path, days: float) -> Path:
    at = time.time() - days * DAY_S
    os.utime(path, (at, at), follow_symlinks=False)
    return path


def kinds(leftovers: list[Leftover]) -> dict[str, set[Path]]:
    return {one.kind: {other.path for other in leftovers if other.kind == one.kind} for one in leftovers}


def test_each_kind_is_found_once_it_is_old(settings: Settings, make: Callable[..., Path]):
    cell = "warehouse/responses/m/s.p"
    torn = make(f"{cell}/.part-1.parquet.{ULID()}.tmp", 2)
    young = make(f"{cell}/.part-2.parquet.{ULID()}.tmp", 0.9)
    mine = make("datasets/files/.notes.tmp", 99)
    link = settings.home / f".eve.duckdb.{ULID()}"
    link.symlink_to("published/gone/eve.duckdb")
    age(link, 2)
    links = make(f".links.{ULID()}.tmp/s.p.parquet", 2).parent
    age(links, 2)
    index, other_index = make("cache/response_index/m/gone.p.parquet"), make("cache/response_index/m/s.p.parquet")
    checks, of_sample = make("cache/image_checks/gone.parquet"), make("cache/image_checks/sample.parquet")
    trained = make("cache/trainings/gone/run/training-0.pt").parent.parent
    in_use_too = make("cache/trainings/sample/run/training-0.pt")
    vectors, in_use = make("cache/embeddings/a.parquet", 91), make("cache/embeddings/b.parquet", 89)
    earlier, current = make("cache/statistics/0/x").parent, make(f"cache/statistics/{VERSION}/x").parent
    log, new_log = make("logs/2026-01-01.jsonl", 31), make("logs/2026-01-02.jsonl", 29)
    printed = make("dagster/storage/run/compute_logs/step.out").parent
    age(printed, 31)

    leftovers = find_leftovers(settings)
    assert kinds(leftovers) == {
        "temporary files of killed processes": {torn, link, links},
        "stale caches": {index, checks, trained, vectors, earlier},
        "logs older than 30 days": {log, printed},
    }
    assert {one.path: one.n_bytes for one in leftovers}[torn] == {one.path: one.n_bytes for one in leftovers}[printed] == 1000

    assert remove_leftovers(leftovers, settings) == leftovers
    assert find_leftovers(settings) == []
    assert all(path.exists() for path in (young, mine, other_index, of_sample, in_use_too, in_use, current, new_log))


def test_three_publications_stay_and_the_published_one_whatever_its_name(settings: Settings, make: Callable[..., Path]):
    folders = [make(f"published/0{number}/eve.duckdb").parent for number in range(5)]
    (settings.home / "eve.duckdb").symlink_to("published/00/eve.duckdb")
    building = make("published/.building/eve.duckdb").parent
    assert kinds(find_leftovers(settings)) == {"publications beyond the last three": set(folders[1:3])}
    age(building, 2)
    leftovers = find_leftovers(settings)
    assert {one.path for one in leftovers} == {*folders[1:3], building}
    with FileLock(Warehouse.of(settings).lock("publish")):
        assert remove_leftovers(leftovers, settings) == []
    assert remove_leftovers(leftovers, settings) == leftovers
    assert sorted(path.name for path in (settings.home / "published").iterdir()) == ["00", "03", "04"]


def test_replaced_parts_stay_while_a_publication_lists_them(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    warehouse = Warehouse.of(settings)
    parts = {write_part(warehouse, str(number), (number, "received", 0)) for number in range(2)}
    with publication(warehouse, settings):
        pass
    compact(warehouse)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 7200)
    assert find_leftovers(settings) == []
    for _ in range(3):
        with publication(warehouse, settings):
            pass
    leftovers = find_leftovers(settings)
    assert kinds(leftovers) == {"parts that compaction replaced": parts}
    assert remove_leftovers(leftovers, settings) == leftovers


def test_prune_shows_and_removes_only_when_told(settings: Settings, make: Callable[..., Path], prune: Callable[..., str]):
    for options in ((), ("--removed", "--keep-revisions", "0")):
        assert "There is nothing to remove" in prune(*options)
    torn = make(f"warehouse/answers/m/.s.p.parquet.{ULID()}.tmp", 2)
    for options in ((), ("--dry-run",), ("--yes", "--dry-run")):
        shown = prune(*options)
        assert "temporary files of killed processes  1  0.001" in shown
        assert "Nothing was removed" in shown
        assert torn.exists()
    assert "Removed 1 of 1 files and folders, 0.0 MB" in prune("--yes")
    assert not torn.exists()


def test_records_of_what_is_not_there_any_more_go(prepared: Settings):
    record = check("images", ("photos",), prepared)
    file = record_file(Warehouse.of(prepared), record.table, record.partition)
    assert file.exists()
    assert find_leftovers(prepared) == []
    (prepared.home / "datasets" / "photos.yaml").unlink()
    leftovers = find_leftovers(prepared)
    assert {one.path for one in leftovers if one.path.suffix == ".json"} == {file}
    remove_leftovers(leftovers, prepared)
    assert list(records(Warehouse.of(prepared))) == []
