"""The marts of a bundle's tables."""

from pathlib import Path

from eve_pipeline.bundles.marts import published_marts
from eve_pipeline.responses.answering import answer_cell
from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.runner import ask_cells
from eve_pipeline.settings import Settings


def test_a_cache_of_statistics_that_was_deleted_is_made_anew(prepared: Settings, tmp_path: Path):
    cell = Cell("served", "photos", "simple")
    [outcome] = ask_cells([cell], prepared)
    assert outcome.is_done
    answer_cell(cell, prepared)
    marts = published_marts(prepared, tmp_path / "home-elsewhere" / "cache" / "statistics")
    assert set(marts["weighted_f1"]["n_items"]) == {24}
    assert any((tmp_path / "home-elsewhere" / "cache" / "statistics").iterdir())
