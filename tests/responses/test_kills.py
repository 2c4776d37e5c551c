"""Killed at random moments: what is stored stays, once, and only what was in flight is asked again."""

from collections.abc import Callable

from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings
from tests.chat_server import ChatServer
from tests.killing import kill_while_asking

IN_FLIGHT = 4


def test_killed_eight_times_nothing_is_lost_or_doubled_or_asked_again_although_stored(
    prepared: Settings, chat_server: ChatServer, add_model: Callable[..., None]
):
    parameters, limits = {"temperature": 1}, {"max_in_flight": IN_FLIGHT}
    add_model("sampled", backend="openai", id="stub", base_url=chat_server.url, parameters=parameters, limits=limits)
    chat_server.latency_s = 0.05
    counts = kill_while_asking([Cell("sampled", "photos", prompt) for prompt in ("simple", "explanation")], 8, prepared, chat_server)
    assert counts.n_stored == counts.n_requests == 8 * 2 * 24
    assert (counts.n_lost, counts.n_doubled, counts.n_asked_though_stored) == (0, 0, 0)
    assert counts.most_unkept <= 2 * IN_FLIGHT  # two cells at once
