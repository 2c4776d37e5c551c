"""The index of the parts never says anything but what a full scan of the parts would."""

import json
import os
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from eve_pipeline.errors import EveError
from eve_pipeline.warehouse.compaction import compact
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.response_index import FolderIndex, folder_index, list_parts
from eve_pipeline.warehouse.response_parts import stored_responses, unanswered, visible_parts
from eve_pipeline.warehouse.tables import read_table
from tests.warehouse.responses import key, responses, scanned, write_part

N_KEYS = 6
KEYS = pl.DataFrame({"request_key": [key(number) for number in range(N_KEYS)]})
TASKS = ("photos.simple", "photos-hard.simple")
DELIVERIES = st.sampled_from(["received", "content_filter", "error"])
ROWS = st.lists(st.tuples(st.integers(0, N_KEYS - 1), DELIVERIES, st.integers(0, 9)), max_size=4)


class Parts(RuleBasedStateMachine):
    """Parts come, go and are merged; the index is lost and torn. `truth` holds the same rows with no index and no compaction."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.warehouse, self.truth = (Warehouse(Path(self.folder.name) / name) for name in ("home", "truth"))
        self.n_parts = 0
        self.merged: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(rows=ROWS, task=st.sampled_from(TASKS))
    def add(self, rows: list[tuple[int, str, int]], task: str) -> None:
        self.n_parts += 1
        for warehouse in (self.warehouse, self.truth):
            write_part(warehouse, str(self.n_parts), *rows, task=task)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        unmerged = sorted({file.relative_to(self.truth.home).as_posix() for file in self.truth.files("responses")} - self.merged)
        if unmerged:
            part = data.draw(st.sampled_from(unmerged))
            for warehouse in (self.warehouse, self.truth):
                (warehouse.home / part).unlink()

    @rule()
    def merge(self) -> None:
        folders = {folder.task for folder in compact(self.warehouse) if folder.n_before > 1}
        files = self.truth.files("responses")
        self.merged |= {file.relative_to(self.truth.home).as_posix() for file in files if file.parent.name in folders}

    @rule(data=st.data())
    def delete_replaced(self, data: st.DataObject) -> None:
        if self.merged:
            (self.warehouse.home / data.draw(st.sampled_from(sorted(self.merged)))).unlink(missing_ok=True)

    @rule(data=st.data())
    def fold_again(self, data: st.DataObject) -> None:
        files = self.truth.files("responses")
        if files:
            file = data.draw(st.sampled_from(files))
            again = self.warehouse.home / file.relative_to(self.truth.home)
            again.with_suffix(".tmp").write_bytes(file.read_bytes())
            again.with_suffix(".tmp").replace(again)

    @rule(task=st.sampled_from(TASKS), share=st.floats(0, 1), is_deleted=st.booleans())
    def lose_the_index(self, task: str, share: float, is_deleted: bool) -> None:
        file = self.warehouse.response_index("m", task)
        if file.exists():
            content = file.read_bytes()
            file.write_bytes(content[: int(share * (len(content) - 1))])
            if is_deleted:
                file.unlink()

    @rule(task=st.sampled_from(TASKS), share=st.floats(0, 1))
    def zero_the_end_of_the_index(self, task: str, share: float) -> None:
        file = self.warehouse.response_index("m", task)
        if file.exists() and (content := file.read_bytes()):
            kept = content[: int(share * (len(content) - 1))]
            file.write_bytes(kept + b"\0" * (len(content) - len(kept)))

    @invariant()
    def says_what_a_full_scan_says(self) -> None:
        truth = scanned(self.truth)
        good = {request_key for request_key, (delivery, _) in truth.items() if delivery != "error"}
        assert set(unanswered(KEYS, self.warehouse, [("m", TASKS[0])])["request_key"]) == set(KEYS["request_key"]) - good
        found = stored_responses(KEYS["request_key"], self.warehouse)
        assert {row["request_key"]: (row["delivery"], row["created_at"]) for row in found.iter_rows(named=True)} == truth
        assert found.height == len(truth)
        visible = read_table("responses", visible_parts(self.warehouse))
        assert visible.height == read_table("responses", self.truth.files("responses")).height


TestParts = Parts.TestCase
TestParts.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)


def test_the_index_is_written_once_and_only_what_is_new_is_read(tmp_path: Path):
    warehouse = Warehouse(tmp_path)
    folder = write_part(warehouse, "1", (1, "received", 0), (2, "error", 0)).parent
    file = warehouse.response_index("m", "photos.simple")
    index = folder_index(folder, warehouse)
    assert index.rows.rows() == [(key(1), True, "part-1.parquet"), (key(2), False, "part-1.parquet")]
    assert FolderIndex.read(file).parts == index.parts
    inode = file.stat().st_ino
    folder_index(folder, warehouse)
    assert file.stat().st_ino == inode
    before = (folder / "part-1.parquet").stat()
    (folder / "part-1.parquet").write_bytes(b"a known part is not opened")
    os.utime(folder / "part-1.parquet", ns=(before.st_atime_ns, before.st_mtime_ns))
    write_part(warehouse, "2", (3, "received", 0))
    assert folder_index(folder, warehouse).rows["part"].to_list() == ["part-1.parquet", "part-1.parquet", "part-2.parquet"]


def test_a_file_that_takes_a_parts_name_is_read_again(tmp_path: Path):
    warehouse = Warehouse(tmp_path)
    folder = write_part(warehouse, "1", (1, "received", 0)).parent
    assert folder_index(folder, warehouse).rows["request_key"].to_list() == [key(1)]
    write_part(warehouse, "1", (2, "received", 0))
    assert folder_index(folder, warehouse).rows["request_key"].to_list() == [key(2)]


def test_a_part_that_is_written_over_is_read_again(tmp_path: Path):
    warehouse = Warehouse(tmp_path)
    part = write_part(warehouse, "1", (1, "received", 0))
    folder_index(part.parent, warehouse)
    inode = part.stat().st_ino
    with part.open("wb") as stream:
        responses((2, "received", 0)).write_parquet(stream)
    assert part.stat().st_ino == inode
    with pytest.raises(EveError, match=r"part-1\.parquet does not say which table"):
        folder_index(part.parent, warehouse)


def test_the_index_of_an_earlier_version_is_made_anew(tmp_path: Path):
    warehouse = Warehouse(tmp_path)
    part = write_part(warehouse, "1", (1, "received", 0))
    made = folder_index(part.parent, warehouse)
    file = warehouse.response_index("m", "photos.simple")
    made.rows.write_parquet(file, metadata={"parts": json.dumps({part.name: (part.stat().st_ino, 1, ())})})
    assert FolderIndex.read(file).parts == {}
    assert folder_index(part.parent, warehouse).parts == made.parts


def test_what_is_not_a_part_is_no_part(tmp_path: Path):
    warehouse = Warehouse(tmp_path)
    part = write_part(warehouse, "1", (1, "received", 0))
    (part.parent / ".part-2.parquet.01.tmp").write_bytes(b"half a par")
    assert list(list_parts(part.parent)) == [part.name]
    assert list(visible_parts(warehouse)) == [part]
