import hashlib
import os
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from PIL import Image
from pydantic import ValidationError

from eve_pipeline.datasets.catalogue import build_images
from eve_pipeline.datasets.registry import DatasetEntry
from eve_pipeline.errors import EveError
from eve_pipeline.settings import PROJECT, Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table

OASIS = Path(os.environ.get("EVE_TEST_OASIS", PROJECT.parent / "shared" / "data" / "oasis"))


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    return Warehouse.of(settings)


@pytest.fixture
def pictures(tmp_path: Path, paint) -> Path:
    root = tmp_path / "pictures"
    for name in ("fear/1.jpg", "fear/2.jpg", "awe/1.jpg", "boredom/1.jpg"):
        paint(root / name)
    (root / "awe" / "2.jpg").write_bytes(b"no image")
    return root


def table(name: str, warehouse: Warehouse) -> pl.DataFrame:
    return read_table(name, [warehouse.file(name, "mine")])


def test_both_tables_are_written(pictures: Path, entry, settings: Settings, warehouse: Warehouse):
    summary = build_images(entry(reader="folder", path=pictures), settings, warehouse)
    images, rejected = table("images", warehouse), table("rejected_images", warehouse)
    assert images.select("dataset", "image_id", "label").rows() == [
        ("mine", "awe/1.jpg", "awe"),
        ("mine", "fear/1.jpg", "fear"),
        ("mine", "fear/2.jpg", "fear"),
    ]
    assert rejected.select("dataset", "path", "reason").rows() == [
        ("mine", "awe/2.jpg", "unreadable"),
        ("mine", "boredom/1.jpg", "unknown label"),
    ]
    assert summary.reasons == {"unreadable": 1, "unknown label": 1}
    assert set(summary.notes) == {"rejected: 1 unreadable", "rejected: 1 unknown label"}


def test_a_second_reading_finds_the_same_without_reading(pictures: Path, entry, settings: Settings, warehouse: Warehouse):
    mine = entry(reader="folder", path=pictures)
    first, earlier = build_images(mine, settings, warehouse), warehouse.earlier_checks("mine")
    assert pl.read_parquet(earlier)["path"].to_list() == ["awe/1.jpg", "awe/2.jpg", "fear/1.jpg", "fear/2.jpg"]
    content = (pictures / "fear" / "1.jpg").read_bytes()
    status = (pictures / "fear" / "1.jpg").stat()
    (pictures / "fear" / "1.jpg").write_bytes(bytes(len(content)))
    os.utime(pictures / "fear" / "1.jpg", ns=(status.st_atime_ns, status.st_mtime_ns))
    second = build_images(mine, settings, warehouse)
    assert second.images.equals(first.images)
    assert second.rejected.equals(first.rejected)
    earlier.unlink()
    assert build_images(mine, settings, warehouse).images["path"].to_list() == ["awe/1.jpg", "fear/2.jpg"]


def test_images_that_another_dataset_has_too_are_told_and_stay(pictures: Path, entry, settings: Settings, warehouse: Warehouse, paint):
    build_images(entry(key="first", reader="folder", path=pictures), settings, warehouse)
    copies = pictures.parent / "copies"
    for number, name in enumerate(("fear/1.jpg", "awe/1.jpg")):
        (copies / "awe").mkdir(parents=True, exist_ok=True)
        (copies / "awe" / f"{number}.jpg").write_bytes((pictures / name).read_bytes())
    paint(copies / "awe" / "2.jpg", colour=77)
    summary = build_images(entry(reader="folder", path=copies), settings, warehouse)
    assert summary.images["path"].to_list() == ["awe/0.jpg", "awe/1.jpg", "awe/2.jpg"]
    assert summary.shared.rows() == [("awe/0.jpg", "first", "fear/1.jpg"), ("awe/1.jpg", "first", "awe/1.jpg")]
    assert summary.notes == ("2 also in dataset first: awe/0.jpg is its fear/1.jpg, for example",)


def test_images_of_several_frames_are_told(tmp_path: Path, entry, settings: Settings, warehouse: Warehouse, paint):
    frames = [Image.new("RGB", (24, 16), colour) for colour in ("red", "blue")]
    paint(tmp_path / "pictures" / "fear" / "a.jpg")
    frames[0].save(tmp_path / "pictures" / "fear" / "b.gif", save_all=True, append_images=frames[1:])
    summary = build_images(entry(reader="folder", path=tmp_path / "pictures"), settings, warehouse)
    assert summary.notes == ("1 of several frames or pages: the first is used",)


def test_placeholders_that_the_entry_names_are_rejected(pictures: Path, entry, settings: Settings, warehouse: Warehouse):
    digest = hashlib.sha256((pictures / "fear" / "1.jpg").read_bytes()).hexdigest()
    rejected = build_images(entry(reader="folder", path=pictures, placeholders=[digest]), settings, warehouse).rejected
    assert ("fear/1.jpg", "placeholder") in rejected.select("path", "reason").rows()


def test_a_placeholder_is_named_by_its_whole_digest(entry):
    with pytest.raises(ValidationError, match="placeholders"):
        entry(placeholders=["abc"])


def test_a_file_is_an_image_by_its_bytes_and_not_by_its_suffix(pictures: Path, entry, settings: Settings, warehouse: Warehouse):
    (pictures / "fear" / "1.jpg").rename(pictures / "fear" / "1.jfif")
    (pictures / "awe" / "1.jpg").rename(pictures / "awe" / "1")
    (pictures / "awe" / "2.jpg").rename(pictures / "awe" / "2.heic")
    images, rejected = build_images(entry(reader="folder", path=pictures), settings, warehouse)[:2]
    assert images["path"].to_list() == ["awe/1", "fear/1.jfif", "fear/2.jpg"]
    assert rejected.select("path", "reason").row(0) == ("awe/2.heic", "unreadable")


def test_no_usable_image_keeps_the_previous_tables(pictures: Path, entry, settings: Settings, warehouse: Warehouse):
    mine = entry(reader="folder", path=pictures)
    build_images(mine, settings, warehouse)
    before = table("images", warehouse), table("rejected_images", warehouse)
    for image in pictures.rglob("*.jpg"):
        image.write_bytes(b"no image")
    with pytest.raises(EveError, match=r"'mine' in .*pictures has no usable image: 4 unreadable, 1 unknown label"):
        build_images(mine, settings, warehouse)
    assert table("images", warehouse).equals(before[0])
    assert table("rejected_images", warehouse).equals(before[1])


def test_a_row_that_reader_and_verification_reject_is_rejected_once(tmp_path: Path, entry, settings: Settings, warehouse: Warehouse, paint):
    paint(tmp_path / "a.jpg")
    (tmp_path / "m.csv").write_text("image,label\na.jpg,fear\nb.jpg,boredom\nb.jpg,fear\n")
    rejected = build_images(entry(path=tmp_path / "m.csv"), settings, warehouse).rejected
    assert rejected.select("path", "reason").rows() == [("b.jpg", "unknown label")]
    assert "'boredom' is none of" in rejected["detail"][0]
    assert "no file" in rejected["detail"][0]


def test_a_dataset_is_drawn_first_and_alike_each_time(settings: Settings, warehouse: Warehouse):
    drawn = DatasetEntry.model_validate({"key": "mine", "reader": "abstract", "labels": "abstract", "draw": {"seed": 3, "per_emotion": 2}})
    first = build_images(drawn, settings, warehouse)
    assert first.images.height == 16
    assert first.rejected.is_empty()
    assert first.images["n_votes"].unique().to_list() == [14]
    assert build_images(drawn, settings, warehouse).images.equals(first.images)


@pytest.mark.skipif(not OASIS.is_dir(), reason=f"the OASIS photographs are not at {OASIS}; EVE_TEST_OASIS says where they are")
def test_photographs_with_ratings_only(entry, settings: Settings, warehouse: Warehouse):
    summary = build_images(entry(path=OASIS / "ratings.csv", rating_scale=(1, 7)), settings, warehouse)
    images = table("images", warehouse)
    assert (images.height, summary.rejected.height) == (502, 0)
    assert Counter(images["label_status"]) == {"none": 502}
    assert set(images.select("width", "height", "rating_min", "rating_max", "neutral_band").iter_rows()) == {(320, 256, 1.0, 7.0, 0.0)}
    acorns = images.row(by_predicate=pl.col("image_id") == "images/acorns_1.jpg", named=True)
    assert (acorns["valence"], acorns["arousal"], acorns["attributes"]) == (4.6863, 2.3465, '{"category":"objects"}')
