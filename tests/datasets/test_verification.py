import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from eve_pipeline.datasets.earlier_checks import EarlierChecks
from eve_pipeline.datasets.verification import check_files, verify

SCHEMA = {"path": pl.String, "label": pl.String, "votes": pl.String, "valence": pl.Float64, "arousal": pl.Float64}


def listed(*rows: tuple[str, str | None]) -> pl.DataFrame:
    return pl.DataFrame([{"path": path, "label": label} for path, label in rows], schema=SCHEMA)


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def replace_unnoticed(file: Path) -> None:
    """Replace a file's bytes by as many others, and set its time back."""
    status, content = file.stat(), file.read_bytes()
    file.write_bytes(content[:-2] + bytes(byte ^ 1 for byte in content[-2:]))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.fixture
def earlier(tmp_path: Path) -> EarlierChecks:
    return EarlierChecks(tmp_path / "earlier.parquet", tmp_path / "root")


def test_images_are_measured_and_keep_their_columns(tmp_path: Path, paint):
    file = paint(tmp_path / "a b.jpg", size=(31, 17))
    images, rejected = verify(listed(("a b.jpg", "fear")), tmp_path, workers=2)
    assert images.columns == [*SCHEMA, "bytes", "sha256", "width", "height", "has_frames"]
    assert images.row(0, named=True) == {
        "path": "a b.jpg",
        "label": "fear",
        "votes": None,
        "valence": None,
        "arousal": None,
        "bytes": file.stat().st_size,
        "sha256": sha256(file),
        "width": 31,
        "height": 17,
        "has_frames": False,
    }
    assert rejected.is_empty()


def test_every_file_is_checked_whatever_the_batches(tmp_path: Path, paint):
    files = [paint(tmp_path / f"{number}.png") for number in range(75)]
    checks = check_files([file.name for file in files], tmp_path, workers=3, save_every=20)
    assert checks["path"].to_list() == [file.name for file in files]
    assert checks["sha256"].to_list() == [sha256(file) for file in files]


def test_each_damaged_file_is_rejected_once(tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(b"")
    rows = listed(("no.jpg", "fear"), ("a.jpg", "fear"), ("a.jpg", "awe"))
    images, rejected = verify(rows, tmp_path, workers=2)
    assert images.is_empty()
    assert rejected.rows() == [("a.jpg", "unreadable", "an empty file"), ("no.jpg", "missing", f"no file {tmp_path / 'no.jpg'}")]


def test_links_to_another_listed_file_are_duplicates_of_it(tmp_path: Path, paint):
    paint(tmp_path / "b.jpg")
    (tmp_path / "a.jpg").symlink_to("b.jpg")
    (tmp_path / "c.jpg").hardlink_to(tmp_path / "b.jpg")
    images, rejected = verify(listed(("c.jpg", "fear"), ("b.jpg", "fear"), ("a.jpg", "fear")), tmp_path, workers=2)
    assert images["path"].to_list() == ["a.jpg"]
    assert rejected.rows() == [(name, "duplicate", "same bytes and label as a.jpg") for name in ("b.jpg", "c.jpg")]


def test_known_and_frequent_placeholders_are_rejected(tmp_path: Path, paint):
    removed = paint(tmp_path / "removed.jpg", colour=7)
    rows = [("removed.jpg", "fear"), ("good.jpg", "fear")]
    paint(tmp_path / "good.jpg")
    for number in range(5):
        paint(tmp_path / f"{number}.jpg", colour=9)
        rows.append((f"{number}.jpg", "fear"))
    images, rejected = verify(listed(*rows), tmp_path, workers=2, placeholders=[sha256(removed)])
    assert images["path"].to_list() == ["good.jpg"]
    assert rejected["reason"].to_list() == ["placeholder"] * 6


def test_an_image_that_is_listed_three_times_stays_once(tmp_path: Path, paint):
    paint(tmp_path / "a.jpg")
    images, rejected = verify(listed(*[("a.jpg", "fear")] * 3), tmp_path, workers=2)
    assert images.height == 1
    assert rejected.rows() == [("a.jpg", "duplicate", "same bytes and label as a.jpg")]


def test_an_image_nobody_said_anything_of(tmp_path: Path, paint):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        paint(tmp_path / name)
    rows = listed(("a.jpg", None), ("b.jpg", None), ("c.jpg", "fear")).with_columns(arousal=pl.Series([None, 3.0, None]))
    images, rejected = verify(rows, tmp_path, workers=2)
    assert images["path"].to_list() == ["b.jpg", "c.jpg"]
    assert rejected.rows() == [("a.jpg", "nothing usable", "neither label, votes nor ratings")]


def test_no_images_no_rows(tmp_path: Path):
    images, rejected = verify(listed(), tmp_path, workers=2)
    assert (images.height, rejected.height) == (0, 0)


def test_files_that_have_not_changed_are_not_read_again(tmp_path: Path, paint, earlier: EarlierChecks):
    root, names = tmp_path / "root", ["a.bmp", "b.bmp", "c.bmp", "d.bmp", "small.bmp"]
    for name in names[:4]:
        paint(root / name)
    paint(root / "small.bmp", size=(2, 2))
    rows = listed(*[(name, "fear") for name in names])
    first = verify(rows, root, 2, earlier)
    for name in ("a.bmp", "small.bmp"):
        replace_unnoticed(root / name)
    paint(root / "b.bmp")
    (root / "c.bmp").unlink()
    paint(root / "e.bmp")
    again = verify(pl.concat([rows, listed(("e.bmp", "fear"))]), root, 2, earlier)
    before, after = (dict(found.images.select("path", "sha256").iter_rows()) for found in (first, again))
    assert after["a.bmp"] == before["a.bmp"] != sha256(root / "a.bmp"), "not read again"
    assert after["b.bmp"] == sha256(root / "b.bmp") != before["b.bmp"]
    assert after["d.bmp"] == before["d.bmp"] == sha256(root / "d.bmp")
    assert after["e.bmp"] == sha256(root / "e.bmp")
    assert again.rejected.select("path", "reason").rows() == [("c.bmp", "missing"), ("small.bmp", "too small")]


def test_a_missing_file_is_looked_for_again(tmp_path: Path, paint, earlier: EarlierChecks):
    root = tmp_path / "root"
    assert verify(listed(("a.jpg", "fear")), root, 2, earlier).rejected["reason"].to_list() == ["missing"]
    paint(root / "a.jpg")
    assert verify(listed(("a.jpg", "fear")), root, 2, earlier).images["path"].to_list() == ["a.jpg"]


def test_losing_the_earlier_checks_costs_a_re_read_only(tmp_path: Path, paint, earlier: EarlierChecks):
    file = paint(tmp_path / "root" / "a.bmp")
    rows = listed(("a.bmp", "fear"))
    verify(rows, file.parent, 2, earlier)
    replace_unnoticed(file)
    earlier.file.write_bytes(b"damaged")
    assert verify(rows, file.parent, 2, earlier).images["sha256"].to_list() == [sha256(file)]


KILLED = """
import sys
from pathlib import Path
from eve_pipeline.datasets.earlier_checks import EarlierChecks
from eve_pipeline.datasets.verification import check_files
names, root, file = sys.argv[3:], Path(sys.argv[1]), Path(sys.argv[2])
check_files(names, root, 1, EarlierChecks(file, root), save_every=32)
"""


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, paint, earlier: EarlierChecks):
    root = tmp_path / "root"
    files = [paint(root / f"{number:03}.bmp", size=(300, 300)) for number in range(640)]
    names = [file.name for file in files]
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(root), str(earlier.file), *names])
    while not earlier.file.exists():
        assert child.poll() is None, "it ended without saving anything"
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.wait()
    saved = set(earlier.load())
    assert saved == set(names[: len(saved)])
    assert len(saved) >= 32
    before = {file.name: sha256(file) for file in files}
    for file in files:
        replace_unnoticed(file)
    found = dict(check_files(names, root, 2, earlier).select("path", "sha256").iter_rows())
    assert {name for name in names if found[name] == before[name]} == saved, "what was saved is not read again"
    assert all(found[file.name] == sha256(file) for file in files if file.name not in saved)
    assert set(earlier.load()) == set(names)
