"""`eve compact` as a user runs it."""

from pathlib import Path

from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_parts import visible_parts
from tests.shell import eve
from tests.warehouse.responses import write_part


def cells(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines() if " x " in line]


def test_compact_shows_what_it_would_do_and_then_does_it(tmp_path: Path):
    warehouse = Warehouse(tmp_path)
    assert "There are no responses yet" in eve("compact", home=tmp_path).stdout
    for number in range(3):
        write_part(warehouse, str(number), (number, "received", 0), (number, "error", 1))
    planned = eve("compact", "--dry-run", home=tmp_path)
    assert cells(planned.stdout) == [["m", "x", "photos.simple", "3", "1", "6"]]
    assert len(visible_parts(warehouse)) == 3
    done = eve("compact", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert cells(done.stdout) == cells(planned.stdout)
    assert "0 replaced files were removed" in done.stdout
    assert "3 more stay for an hour" in done.stdout
    assert len(visible_parts(warehouse)) == 1
