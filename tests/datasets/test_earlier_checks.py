from pathlib import Path

import polars as pl
import pytest

from eve_pipeline.datasets.earlier_checks import EarlierChecks
from eve_pipeline.datasets.image_file import Check

WHOLE = Check("a.jpg", 10, 11, "f" * 64, 20, 30, False)
SMALL = Check("b.jpg", 10, 11, "e" * 64, reason="too small", detail="1 x 1 px")
MISSING = Check("c.jpg", reason="missing", detail="no file c.jpg")


@pytest.fixture
def earlier(tmp_path: Path) -> EarlierChecks:
    return EarlierChecks(tmp_path / "cache" / "mine.parquet", tmp_path / "root")


def test_what_was_read_comes_back_and_what_could_not_be_read_does_not(earlier: EarlierChecks):
    assert earlier.load() == {}
    earlier.add([WHOLE, SMALL, MISSING])
    assert earlier.load() == {"a.jpg": WHOLE, "b.jpg": SMALL}


def test_later_checks_take_the_place_of_earlier_ones(earlier: EarlierChecks):
    earlier.add([WHOLE, SMALL])
    changed = SMALL._replace(bytes=12, sha256="d" * 64)
    earlier.add([changed])
    assert earlier.load() == {"a.jpg": WHOLE, "b.jpg": changed}


def test_nothing_new_writes_nothing(earlier: EarlierChecks):
    earlier.add([MISSING])
    assert not earlier.file.exists()


def test_no_temporary_file_is_left(earlier: EarlierChecks):
    earlier.add([WHOLE])
    assert [path.name for path in earlier.file.parent.iterdir()] == ["mine.parquet"]


def damaged(content: bytes) -> list[bytes]:
    middle = len(content) // 2
    return [b"", b"PAR1", content[:middle], content[:-4], b"\0" * len(content), content[middle:], b"<html>" * 99]


@pytest.mark.parametrize("kind", range(7))
def test_a_damaged_file_counts_as_none_and_is_replaced(earlier: EarlierChecks, kind: int):
    earlier.add([WHOLE])
    earlier.file.write_bytes(damaged(earlier.file.read_bytes())[kind])
    assert earlier.load() == {}
    earlier.add([SMALL])
    assert earlier.load() == {"b.jpg": SMALL}


def rewrite(file: Path, frame: pl.DataFrame | None = None, **changes: str) -> None:
    metadata = {key: value for key, value in pl.read_parquet_metadata(file).items() if key in {"root", "version", "pillow"}}
    (pl.read_parquet(file) if frame is None else frame).write_parquet(file, metadata=metadata | changes)


def test_a_file_of_another_table_counts_as_none(earlier: EarlierChecks):
    earlier.add([WHOLE])
    rewrite(earlier.file, pl.DataFrame({"path": ["a.jpg"], "bytes": ["ten"]}))
    assert earlier.load() == {}


@pytest.mark.parametrize("changes", [{"root": "/moved"}, {"version": "0"}, {"pillow": "1.0"}])
def test_checks_of_another_folder_or_program_do_not_count(earlier: EarlierChecks, changes: dict[str, str]):
    earlier.add([WHOLE])
    rewrite(earlier.file)
    assert earlier.load() == {"a.jpg": WHOLE}
    rewrite(earlier.file, **changes)
    assert earlier.load() == {}
