"""A model that changes behind its name is seen."""

from eve_pipeline.responses.cells import Cell
from eve_pipeline.responses.extent import Extent
from eve_pipeline.responses.runner import ask_cells
from eve_pipeline.responses.served import served_as
from eve_pipeline.settings import Settings
from tests.chat_server import ChatServer

CELL = Cell("served", "photos", "simple")


def test_replies_are_counted_by_who_gave_them(prepared: Settings, chat_server: ChatServer):
    list(ask_cells([CELL], prepared, extent=Extent(limit=10)))
    assert served_as(CELL, prepared).select("served_model", "system_fingerprint", "n").rows() == [("stub-served", "fp", 10)]
    chat_server.fingerprint = "another build"
    chat_server.fault = lambda number: 400 if number == 11 else 0
    list(ask_cells([CELL], prepared))
    found = served_as(CELL, prepared)
    assert found["system_fingerprint"].to_list() == ["fp", "another build"]
    assert found["n"].to_list() == [10, 13], "an error was given by nobody"
    assert found["last_at"][0] <= found["first_at"][1]
