"""What dbt's tests of the data refuse, and what they only warn of."""

import json

import polars as pl
import pytest

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import Publication, publish
from eve_pipeline.warehouse.tables import write_table


def test_cells_read_by_several_parsers_are_not_published(settings: Settings, current_answers: pl.DataFrame) -> None:
    warehouse = Warehouse.of(settings)
    for version, model in enumerate(("one", "two")):
        cell = current_answers.filter(model=model, subset="labelled", prompt="simple").with_columns(parser_version=pl.lit(str(version)))
        write_table(cell, "answers", warehouse.file("answers", model, "labelled.simple"))
    with pytest.raises(EveError, match="one_parser_version"):
        publish(warehouse, settings)


@pytest.mark.usefixtures("database")
def test_labels_without_affect_are_warned_of(sql_settings: Settings) -> None:
    """They are boredom, in both schemes."""
    building = Publication.building(Warehouse.of(sql_settings), sql_settings)
    results = json.loads((building.target / "run_results.json").read_text())["results"]
    warned = {result["unique_id"]: result["failures"] for result in results if result["status"] == "warn"}
    assert warned == {"test.eve.every_label_has_affect": 2}
