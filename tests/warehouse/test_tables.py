"""Tables on disk: whole or not at all, readable by newer programs, refused by older ones."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from eve_pipeline.errors import EveError
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.tables import linking, read_table, write_table
from tests.warehouse.replacing import is_whole, replacing_for_ever

ITEM = {"subset": "sample", "dataset": "sample", "image_id": "a"}
ITEMS = st.lists(st.tuples(st.text(max_size=5), st.none() | st.integers(0, 2**63 - 1)), unique_by=lambda item: item[0])
SCHEMA = {"image_id": pl.String, "selection_seed": pl.Int64}


@given(ITEMS, st.integers(0, 3))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(tmp_path: Path, items: list[tuple[str, int | None]], n_files: int) -> None:
    frame = pl.DataFrame(items, schema=SCHEMA, orient="row").with_columns(subset=pl.lit("s"), dataset=pl.lit("d"))
    files = [tmp_path / str(number) / "items.parquet" for number in range(n_files)]
    for file in files:
        write_table(frame, "benchmark_items", file)
    columns = list(contracts()["benchmark_items"].columns)
    assert_frame_equal(read_table("benchmark_items", files), pl.concat([frame.select(columns).clear(), *[frame.select(columns)] * n_files]))


def test_nested_and_timed_columns_survive(tmp_path: Path) -> None:
    image = {
        "dataset": "d", "image_id": "a", "path": "a.jpg", "sha256": "0", "width": 1, "height": 1, "bytes": 1, "label_status": "single",
        "votes": [{"label": "awe", "share": 0.75}, {"label": "fear", "share": 0.25}],
    }  # fmt: skip
    write_table(pl.DataFrame([image]), "images", tmp_path / "d.parquet")
    assert read_table("images", [tmp_path / "d.parquet"])["votes"].to_list() == [image["votes"]]


def test_files_that_do_not_exist_give_no_rows(tmp_path: Path) -> None:
    frame = read_table("images", [tmp_path / "nothing.parquet"])
    assert frame.is_empty()
    assert frame.schema == contracts()["images"].polars_schema


def test_a_refused_frame_leaves_the_old_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "items.parquet"
    write_table(pl.DataFrame([ITEM]), "benchmark_items", file)
    before = file.read_bytes()
    with pytest.raises(EveError):
        write_table(pl.DataFrame([ITEM, ITEM]), "benchmark_items", file)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_a_failing_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fills up when the last bytes are flushed."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(EveError, match=r"items\.parquet cannot be written.*No space left"):
        write_table(pl.DataFrame([ITEM]), "benchmark_items", tmp_path / "items.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_replaced_meanwhile_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "items.parquet"
    with replacing_for_ever(file):
        for _ in range(300):
            lengths = read_table("benchmark_items", [file])["image_id"].str.len_chars()
            assert is_whole(lengths.len(), lengths.n_unique(), lengths[0])


def test_a_newer_file_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "items.parquet"
    pl.DataFrame([ITEM]).write_parquet(file, metadata={"contract": "benchmark_items", "contract_version": "99"})
    with pytest.raises(EveError, match=r"items\.parquet has version 99 of table 'benchmark_items'"):
        read_table("benchmark_items", [file])


def test_an_older_file_gets_null_for_new_columns(tmp_path: Path) -> None:
    file = tmp_path / "items.parquet"
    pl.DataFrame([ITEM]).write_parquet(file, metadata={"contract": "benchmark_items", "contract_version": "1"})
    assert read_table("benchmark_items", [file]).rows(named=True) == [ITEM | {"selection_seed": None}]


@pytest.mark.parametrize(
    ("metadata", "found"),
    [({"contract": "images", "contract_version": "1"}, "holds table 'images', not 'benchmark_items'"), (None, "does not say which table")],
)
def test_another_table_is_refused(tmp_path: Path, metadata: dict[str, str] | None, found: str) -> None:
    file = tmp_path / "items.parquet"
    pl.DataFrame([ITEM]).write_parquet(file, metadata=metadata)
    with pytest.raises(EveError, match=found):
        read_table("benchmark_items", [file])


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_a_damaged_file_is_named(tmp_path: Path, keep: int) -> None:
    file = tmp_path / "items.parquet"
    write_table(pl.DataFrame([ITEM]), "benchmark_items", file)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(EveError, match=r"items\.parquet is not a readable Parquet file"):
        read_table("benchmark_items", [file])


def test_a_link_is_the_file_as_it_was_until_the_block_ends(tmp_path: Path) -> None:
    file, home = tmp_path / "items.parquet", tmp_path / "home"
    write_table(pl.DataFrame([ITEM]), "benchmark_items", file)
    (tmp_path / "other.parquet").symlink_to("items.parquet")
    before = file.read_bytes()
    with linking(home) as link:
        names = [link(file, "benchmark_items"), link(tmp_path / "other.parquet", "benchmark_items")]
        write_table(pl.DataFrame([ITEM, ITEM | {"image_id": "b"}]), "benchmark_items", file)
        assert [name.read_bytes() for name in names] == [before, before]
    assert list(home.iterdir()) == []


def test_where_there_are_no_hard_links_the_file_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "items.parquet"
    write_table(pl.DataFrame([ITEM]), "benchmark_items", file)

    def refused(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refused)
    with linking(tmp_path) as link:
        assert link(file, "benchmark_items").read_bytes() == file.read_bytes()
        with pytest.raises(EveError, match=r"gone\.parquet is not a readable Parquet file"):
            link(tmp_path / "gone.parquet", "benchmark_items")
