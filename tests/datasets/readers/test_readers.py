from pathlib import Path

import pytest

from eve_pipeline.datasets.readers import find_reader, read_dataset, reader_names
from eve_pipeline.emotions.label_sets import label_sets
from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.contract import contracts


def test_readers_are_found_by_file_name(settings: Settings):
    assert {"abstract", "artphoto", "folder", "manifest"} <= set(reader_names())
    for name in reader_names():
        assert find_reader(name).DEFAULT_LABELS in label_sets(settings)


@pytest.mark.parametrize("name", ["abstrakt", "", "__init__", "os.path"])
def test_an_unknown_reader_lists_the_readers(name: str):
    with pytest.raises(EveError, match=r"(?s)There is no reader.*abstract, artphoto, folder, manifest"):
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
