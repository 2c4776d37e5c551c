import hashlib
import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from eve_pipeline.datasets.verification import check_image, verify

SCHEMA = {"path": pl.String, "label": pl.String, "votes": pl.String, "valence": pl.Float64, "arousal": pl.Float64}


def listed(*rows: tuple[str, str | None]) -> pl.DataFrame:
    return pl.DataFrame([{"path": path, "label": label} for path, label in rows], schema=SCHEMA)


def test_a_whole_image_is_measured(tmp_path: Path, paint):
    file = paint(tmp_path / "a b.jpg", size=(31, 17))
    images, rejected = verify(listed(("a b.jpg", "fear")), tmp_path, workers=2)
    assert images.select("path", "label", "sha256", "width", "height", "bytes").row(0) == (
        "a b.jpg",
        "fear",
        hashlib.sha256(file.read_bytes()).hexdigest(),
        31,
        17,
        file.stat().st_size,
    )
    assert rejected.is_empty()


@pytest.mark.parametrize(("orientation", "size"), [(1, (31, 17)), (3, (31, 17)), (6, (17, 31)), (8, (17, 31))])
def test_size_is_that_after_exif_orientation(tmp_path: Path, paint, orientation: int, size: tuple[int, int]):
    exif = Image.Exif()
    exif[0x0112] = orientation
    paint(tmp_path / "a.jpg", size=(31, 17), exif=exif)
    check = check_image(tmp_path.resolve(), "a.jpg")
    assert (check.width, check.height) == size


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_colour_modes_are_usable(tmp_path: Path, mode: str):
    Image.new(mode, (24, 16)).save(tmp_path / "a.tif")
    assert check_image(tmp_path.resolve(), "a.tif").reason is None


@pytest.mark.parametrize("size", [(1, 1), (15, 400), (400, 15)])
def test_an_image_too_small_to_show_anything(tmp_path: Path, paint, size: tuple[int, int]):
    paint(tmp_path / "a.png", size=size)
    _, rejected = verify(listed(("a.png", "fear")), tmp_path, workers=2)
    assert rejected.rows() == [("a.png", "too small", f"{size[0]} x {size[1]} px, less than 16 on a side")]


def damage(path: Path, kind: str) -> None:
    content = path.read_bytes()
    damaged = {"truncated": content[: len(content) // 2], "html": b"<html>Not found</html>", "empty": b""}
    path.write_bytes(damaged[kind])


@pytest.mark.parametrize(("kind", "reason"), [("truncated", "truncated"), ("html", "unreadable"), ("empty", "unreadable")])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_damaged_files(tmp_path: Path, kind: str, reason: str, suffix: str):
    file = tmp_path / f"a{suffix}"
    Image.effect_noise((64, 64), 50).save(file)
    damage(file, kind)
    images, rejected = verify(listed((file.name, "fear")), tmp_path, workers=2)
    assert images.is_empty()
    assert rejected["reason"].to_list() == [reason]
    assert rejected["detail"].to_list()[0]


def test_a_missing_file_and_a_folder(tmp_path: Path):
    (tmp_path / "folder.jpg").mkdir()
    _, rejected = verify(listed(("no.jpg", "fear"), ("folder.jpg", "fear")), tmp_path, workers=2)
    assert rejected.select("path", "reason").rows() == [("folder.jpg", "unreadable"), ("no.jpg", "missing")]


def test_a_decompression_bomb_is_unreadable(tmp_path: Path, paint, monkeypatch: pytest.MonkeyPatch):
    paint(tmp_path / "a.jpg", size=(64, 64))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    check = check_image(tmp_path.resolve(), "a.jpg")
    assert check.reason == "unreadable"
    assert "decompression bomb" in (check.detail or "")


def test_paths_and_links_may_not_leave_the_folder(tmp_path: Path, paint):
    root, outside = tmp_path / "root", paint(tmp_path / "outside" / "a.jpg")
    inside = paint(root / "inside.jpg")
    (root / "link.jpg").symlink_to(outside)
    (root / "folder").symlink_to(outside.parent)
    (root / "inward.png").symlink_to(inside)
    rows = ["../outside/a.jpg", str(outside), "link.jpg", "folder/a.jpg", "inward.png", "../root/inside.jpg"]
    for path in rows[:4]:
        assert check_image(root.resolve(), path).reason == "outside the folder"
    for path in rows[4:]:
        assert check_image(root.resolve(), path).reason is None


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(parts=st.lists(st.sampled_from(["..", ".", "a", "root", "secret.jpg", "/", "~", "\0", "x" * 300]) | st.text(max_size=5), max_size=6))
def test_no_path_reads_a_file_outside(tmp_path: Path, parts: list[str]):
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True, exist_ok=True)
    if not (tmp_path / "secret.jpg").exists():
        Image.new("RGB", (4, 4)).save(tmp_path / "secret.jpg")
    path = "/".join(parts)
    check = check_image(root.resolve(), path)
    assert check.sha256 is None, "there is no image inside, so none can be read"
    if "\0" not in path and not os.path.realpath(root / path).startswith(os.path.realpath(root)):
        assert check.reason in {"outside the folder", "unreadable"}


def test_of_duplicates_with_one_label_the_first_by_path_stays(tmp_path: Path, paint):
    for name in ("b.jpg", "a.jpg", "c.jpg"):
        paint(tmp_path / name, colour=7)
    images, rejected = verify(listed(("c.jpg", "fear"), ("b.jpg", "fear"), ("a.jpg", "fear")), tmp_path, workers=2)
    assert images["path"].to_list() == ["a.jpg"]
    assert rejected.rows() == [(name, "duplicate", "same bytes and label as a.jpg") for name in ("b.jpg", "c.jpg")]


@pytest.mark.parametrize("other", ["awe", None])
def test_of_duplicates_with_several_labels_none_stays(tmp_path: Path, paint, other: str | None):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        paint(tmp_path / name, colour=7)
    paint(tmp_path / "d.jpg", colour=8)
    rows = listed(("a.jpg", "fear"), ("b.jpg", "fear"), ("c.jpg", other), ("d.jpg", "fear")).with_columns(valence=4.0)
    images, rejected = verify(rows, tmp_path, workers=2)
    assert images["path"].to_list() == ["d.jpg"]
    assert rejected.rows() == [
        (name, "conflicting duplicate", f"same bytes as {contrary}, another label")
        for name, contrary in (("a.jpg", "c.jpg"), ("b.jpg", "c.jpg"), ("c.jpg", "a.jpg"))
    ]


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
