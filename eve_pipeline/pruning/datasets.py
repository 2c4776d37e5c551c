"""Tables of datasets and subsets that have no entry any more."""

from typing import Final

import polars as pl

from eve_pipeline.datasets.registry import dataset_entries
from eve_pipeline.pruning.leftovers import Leftover
from eve_pipeline.responses.cells import subset_datasets
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import read_table

OF_DATASETS: Final = ("images", "rejected_images", "classifier_scores")


def removed_tables(settings: Settings, going: pl.DataFrame | None = None) -> list[Leftover]:
    """Return the tables of datasets and subsets without an entry about which nothing was asked that stays, neither models nor people.

    `going` has the config_digests of each cell (model, subset, prompt) that is about to go.

    Raises:
        EveError: a table cannot be read, or a dataset's entry is not valid.
    """
    warehouse = Warehouse.of(settings)
    requests = read_table("requests", warehouse.files("requests"))
    if going is not None and going.height:
        of_cells = going.select("model", "subset", "prompt", config_digest="config_digests").explode("config_digest")
        requests = requests.join(of_cells, on=of_cells.columns, how="anti")
    studies = read_table("annotation_tasks", warehouse.files("annotation_tasks"))
    asked = {*requests["dataset"].unique(), *requests["subset"].unique(), *studies["dataset"].unique()}
    known = dict.fromkeys(OF_DATASETS, asked | dataset_entries(settings).complete().keys())
    known["benchmark_items"] = asked | subset_datasets(settings).complete().keys()
    unused = (file for table, names in known.items() for file in warehouse.files(table) if file.stem not in names)
    return [Leftover("tables of removed datasets", file, file.stat().st_size) for file in unused]
