"""The named queries about hard subsets, on the raw schema of a small warehouse, against what the pictures in the UI show."""

from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from eve_pipeline.hard_subset.selection import draw, hard_images
from eve_pipeline.hard_subset.shares import balance, sweep_thresholds
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.contract import contracts
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.query import named_query
from eve_pipeline.warehouse.raw_schema import create_raw_schema
from eve_pipeline.warehouse.tables import write_table


@pytest.fixture
def scored() -> pl.DataFrame:
    random, labels = np.random.default_rng(5), ["awe", "fear", "joy"]
    p = random.dirichlet([2, 1, 1], 60)
    truth = random.integers(0, 3, 60)
    return pl.DataFrame(
        {
            "dataset": ["d"] * 60,
            "image_id": [f"{n:02}" for n in range(60)],
            "label": [labels[number] for number in truth],
            "classifier": ["c"] * 60,
            "fold": [0] * 60,
            "p_true": p[range(60), truth],
            "predicted": [labels[number] for number in p.argmax(1)],
            "p_predicted": p.max(1),
        }
    )


def ask(name: str, images: pl.DataFrame, items: pl.Series, home: Path, scored: pl.DataFrame) -> pl.DataFrame:
    warehouse, schema = Warehouse(home), contracts()["images"].polars_schema
    common = {"path": "p", "sha256": "0", "width": 1, "height": 1, "bytes": 1, "label_status": "single"}
    rows = [dict.fromkeys(schema) | common | row for row in images.select("dataset", "image_id", "label").to_dicts()]
    write_table(pl.DataFrame(rows, schema), "images", warehouse.file("images", "d"))
    write_table(scored.drop("label"), "classifier_scores", warehouse.file("classifier_scores", "d"))
    drawn = items.to_frame("image_id").with_columns(subset=pl.lit("d-hard"), dataset=pl.lit("d"))
    write_table(drawn, "benchmark_items", warehouse.file("benchmark_items", "d-hard"))
    query = named_query(name, Settings())
    with duckdb.connect() as connection:
        create_raw_schema(connection, warehouse)
        return connection.sql(query.sql, params=query.parameters | {"dataset": "d"}).pl()


def test_hard_thresholds(scored: pl.DataFrame, tmp_path: Path) -> None:
    found = ask("hard_thresholds", scored, pl.Series("image_id", [], dtype=pl.String), tmp_path, scored)
    columns = ["threshold", "label", "n", "n_hard", "hard_rate", "accuracy"]
    rows = found.select(columns).sort("threshold", "label").rows()
    assert rows == [pytest.approx(row, abs=0.00051) for row in sweep_thresholds(scored).rows()]


def test_hard_subset_balance(scored: pl.DataFrame, tmp_path: Path) -> None:
    of_half = scored.with_row_index().filter(pl.col("index") % 2 == 0)
    selection = draw(hard_images(of_half), 10)
    drawn = pl.Series("image_id", selection.image_ids)
    found = ask("hard_subset_balance", scored, drawn, tmp_path, of_half.drop("index"))
    n, n_scored = (dict(rows.group_by("label").len().sort("label").iter_rows()) for rows in (scored, of_half))
    wanted = balance(n, n_scored, selection).select(found.columns).sort("label")
    assert found.sort("label").rows() == [pytest.approx(row, abs=0.00051) for row in wanted.rows()]
