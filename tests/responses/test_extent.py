"""How much of a cell is asked, and that it is asked as much again."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.extent import WHOLE, Extent, last_extent
from eve_pipeline.responses.runner import ask_cells
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.registry import model_entry
from eve_pipeline.warehouse.paths import Warehouse
from tests.chat_server import ChatServer

CELL = Cell("served", "photos", "simple")
extents = st.builds(Extent, st.integers(1, 9), st.none() | st.integers(1, 50))


@given(extents, extents)
def test_what_holds_both_holds_each_and_no_more(one: Extent, other: Extent):
    both = one.widened(other)
    assert both == other.widened(one)
    assert both.widened(one) == both == both.widened(other)
    assert both.repeats == max(one.repeats, other.repeats)
    assert (both.limit is None) == (None in (one.limit, other.limit))
    assert both.limit in (one.limit, other.limit)


def test_widened_by_nothing_it_stays():
    assert Extent(3, 7).widened(None) == Extent(3, 7)


@pytest.mark.parametrize(
    ("rows", "extent"),
    [
        ([], None),
        ([(False, 3, 7)], None),
        ([(True, None, None)], None),  # written before extents were kept
        ([(False, 9, 9), (True, 3, None)], Extent(3, None)),
        ([(True, 1, 20), (True, 1, 20)], Extent(1, 20)),
    ],
)
def test_it_is_that_of_the_current_configs(rows: list[tuple[bool, int | None, int | None]], extent: Extent | None):
    schema = {"is_current": pl.Boolean, "n_repeats": pl.Int64, "image_limit": pl.Int64}
    assert Extent.of(pl.DataFrame(rows, schema, orient="row")) == extent


def test_a_cell_remembers_the_most_that_was_asked_of_it(prepared: Settings, chat_server: ChatServer):
    warehouse = Warehouse.of(prepared)
    assert last_extent(CELL, model_entry("served", prepared), warehouse) == WHOLE
    for asked, remembered in ((10, 10), (5, 10), (12, 12), (None, None), (3, None)):
        list(ask_cells([CELL], prepared, extent=Extent(limit=asked)))
        assert last_extent(CELL, model_entry("served", prepared), warehouse) == Extent(1, remembered)
    assert len(chat_server.seen) == 24


def test_without_an_extent_as_much_is_asked_as_before(prepared: Settings, chat_server: ChatServer, add_model):
    list(ask_cells([CELL], prepared, extent=Extent(limit=10)))
    add_model("served", backend="openai", id="another", base_url=chat_server.url)
    [outcome] = ask_cells([CELL], prepared, extent=None)
    assert (outcome.n_requests, outcome.n_asked, len(chat_server.seen)) == (10, 10, 20)
    assert last_extent(CELL, model_entry("served", prepared), Warehouse.of(prepared)) == Extent(1, 10)
