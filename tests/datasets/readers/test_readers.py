from pathlib import Path

import pytest

from eve_pipeline.datasets.readers import find_reader, read_dataset, reader_names
from eve_pipeline.emotions.label_sets import label_sets
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.contract import contracts
from tests.datasets import layouts


def test_readers_are_found_by_file_name(settings: Settings):
    assert {"abstract", "artphoto", "folder", "manifest"} <= set(reader_names())
    for name in reader_names():
        assert find_reader(name).DEFAULT_LABELS in label_sets(settings)


@pytest.mark.parametrize("name", ["abstrakt", "", "__init__", "os.path"])
def test_an_unknown_reader_lists_the_readers(name: str):
    with pytest.raises(EveError, match=r"(?s)There is no reader.*abstract, artphoto, emoset, emotion6, fi, folder, manifest"):
        find_reader(name)


def test_every_reader_fills_the_images_table(tmp_path: Path, settings: Settings, entry, paint):
    paint(tmp_path / "pictures" / "fear" / "1.jpg")
    images = read_dataset(entry(reader="folder", path=tmp_path / "pictures"), settings).images
    measured = {"dataset", "sha256", "width", "height", "bytes"}
    schema = {name: dtype for name, dtype in contracts()["images"].polars_schema.items() if name not in measured}
    assert images.schema == schema
    assert images.row(0, named=True) == dict.fromkeys(schema) | {
        "image_id": "fear/1.jpg",
        "path": "fear/1.jpg",
        "label": "fear",
        "label_status": "single",
    }


@pytest.mark.parametrize("maker", [layouts.emoset, layouts.fi_folders, layouts.fi_flat, layouts.fi_csv, layouts.emotion6, layouts.artphoto])
@pytest.mark.parametrize("strays", [("stray.jpg",), ("awe/awe_9.png", "image/é 1.JPG", "images/joy/none"), ("agg/fear_1.jpg",)])
def test_every_file_is_listed_or_rejected(maker, strays: tuple[str, ...], tmp_path: Path, settings: Settings, entry):
    maker(tmp_path)
    for name in strays:
        layouts.picture(tmp_path / name)
    if "agg/fear_1.jpg" in strays and maker is not layouts.fi_csv:
        (tmp_path / "agg" / "fear_1.jpg").rename(tmp_path / "fear_1.jpg")
        (tmp_path / "agg").rmdir()
    reader = maker.__name__.partition("_")[0]
    dataset = entry(reader=reader, path=tmp_path, labels=find_reader(reader).DEFAULT_LABELS, rating_scale=(1, 9))
    images, rejected = read_dataset(dataset, settings)
    notes = {".csv", ".json", ".txt", ".rtf"}
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file() and path.suffix not in notes}
    files = {file for file in files if not file.startswith((".", "home"))}
    assert files <= set(images["path"]) | set(rejected["path"])
    assert not set(images["path"]) & set(rejected["path"])
    assert images["path"].is_unique().all()
