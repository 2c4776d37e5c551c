import polars as pl

from eve_pipeline.datasets.subsets import full_subset, write_items
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table


def test_all_images_that_can_be_scored():
    images = pl.DataFrame(
        {
            "image_id": ["e", "d", "c", "b", "a"],
            "label": ["fear", None, None, None, None],
            "votes": [None, [{"label": "fear", "share": 1.0}], None, None, None],
            "valence": [None, None, 4.0, None, None],
            "arousal": [None, None, None, 4.0, None],
        }
    )
    assert full_subset(images)["image_id"].to_list() == ["b", "c", "d", "e"]


def test_items_are_written_under_their_subset(settings: Settings):
    warehouse = Warehouse.of(settings)
    write_items(warehouse, "mine-hard", "mine", pl.Series(["b", "a"]), 7)
    write_items(warehouse, "mine", "mine", pl.Series(["a"]), None)
    rows = (
        read_table("benchmark_items", warehouse.files("benchmark_items")).select("subset", "dataset", "image_id", "selection_seed").rows()
    )
    assert sorted(rows, key=str) == [("mine", "mine", "a", None), ("mine-hard", "mine", "a", 7), ("mine-hard", "mine", "b", 7)]
