"""Flow of requests to a real server: who waits for what, what is asked again, and what ends a run."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from threading import Event, Thread

import pytest

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.vlms import flow as flows
from eve_pipeline.vlms.backends.openai import LOOK_AHEAD
from eve_pipeline.vlms.endpoints import ProviderRefused
from eve_pipeline.vlms.flow import FAULTS, Lane
from eve_pipeline.vlms.protocol import Reply, Request, open_vlm
from tests.chat_server import ChatServer
from tests.vlms.asking import entry_of, request_about


@pytest.fixture
def requests(photographs: Path) -> list[Request]:
    return [request_about(file) for file in sorted(photographs.rglob("*.jpg"))]


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "PAUSE_S", 0.0)


def ask(server: ChatServer, requests: list[Request], settings: Settings, **fields: object) -> list[Reply]:
    with open_vlm(entry_of(server, **fields), settings) as vlm:
        return list(vlm.respond(requests))


def at_once(number: int) -> dict[str, object]:
    return {"limits": {"max_in_flight": number}}


def test_the_slots_are_filled_and_never_exceeded(chat_server: ChatServer, requests: list[Request], settings: Settings):
    chat_server.latency_s = 0.1
    assert len(ask(chat_server, requests, settings, **at_once(5))) == len(requests)
    assert chat_server.peak == 5


def test_a_full_server_is_asked_about_as_much_as_it_takes(chat_server: ChatServer, photographs: Path, settings: Settings):
    chat_server.cap, chat_server.latency_s = 8, 0.03
    chat_server.told = lambda _: {"retry-after-ms": "150"}
    asked = [request_about(file, str(number)) for file, number in product(sorted(photographs.rglob("*.jpg")), range(25))]
    with open_vlm(entry_of(chat_server, **at_once(32)), settings) as vlm:
        replies = list(vlm.respond(asked))
    assert {reply.delivery for reply in replies} == {"received"}
    assert len({reply.request_key for reply in replies}) == len(asked)
    assert chat_server.n_refused < len(asked) / 3  # where the limit settles is in test_limits.py, in simulated time


def test_a_refused_request_waits_in_its_own_slot_while_the_others_go_on(
    chat_server: ChatServer, requests: list[Request], settings: Settings
):
    chat_server.fault = lambda number: 429 if number == 1 else 0
    chat_server.told = lambda number: {"retry-after-ms": "400"} if number == 1 else {}
    replies = ask(chat_server, requests[:8], settings, **at_once(2))
    assert sorted(reply.attempts for reply in replies) == [1] * 7 + [2]
    again = max(number for number, seen in enumerate(chat_server.seen) if seen[0] == chat_server.seen[0][0])
    assert again > 2
    assert chat_server.arrived_at[again] - chat_server.arrived_at[0] >= 0.4


def test_a_provider_that_asks_to_come_back_tomorrow_ends_the_run(chat_server: ChatServer, requests: list[Request], settings: Settings):
    chat_server.fault = lambda _: 429
    chat_server.told = lambda _: {"Retry-After": "86400"}
    with pytest.raises(ProviderRefused, match="in 1440 minutes"):
        ask(chat_server, requests, settings, **at_once(1))
    assert len(chat_server.seen) == 1


def test_a_used_up_rate_limit_is_waited_for(chat_server: ChatServer, requests: list[Request], settings: Settings):
    used_up = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "400ms"}
    chat_server.told = lambda number: used_up if number == 2 else {}
    ask(chat_server, requests[:4], settings, **at_once(1))
    assert chat_server.arrived_at[2] - chat_server.arrived_at[1] >= 0.4


def test_requests_a_minute_are_spaced(chat_server: ChatServer, requests: list[Request], settings: Settings):
    ask(chat_server, requests[:6], settings, limits={"max_in_flight": 6, "requests_per_minute": 600})
    assert chat_server.arrived_at[-1] - chat_server.arrived_at[0] >= 0.3  # 0.5 s by the cap


def test_tokens_a_minute_are_those_that_replies_used(chat_server: ChatServer, requests: list[Request], settings: Settings):
    async def charged() -> tuple[float, float, float]:
        lane = Lane(entry_of(chat_server, limits={"tokens_per_minute": 6000}))  # 10 ms a token
        guess = lane.expected_tokens(requests[0])
        lane.tokens.charge(100.0, guess)
        before = lane.tokens.free_at
        lane.learn(Reply(request_key="1", delivery="received", prompt_tokens=280, completion_tokens=20), guess)
        return before, lane.tokens.free_at, lane.expected_tokens(requests[0])

    before, after, mean = asyncio.run(charged())
    assert before == pytest.approx(100 + 0.01 * (1000 + len("Which emotion?") / 4))
    assert (after, mean) == (pytest.approx(103), 300)


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("status", [408, 409, 500, 502, 503])
def test_a_passing_fault_is_asked_again(chat_server: ChatServer, requests: list[Request], settings: Settings, status: int):
    chat_server.fault = lambda number: status if number == 1 else 0
    chat_server.told = lambda _: {"retry-after-ms": "1"}
    [reply] = ask(chat_server, requests[:1], settings)
    assert (reply.delivery, reply.attempts) == ("received", 2)


@pytest.mark.usefixtures("no_pauses")
def test_a_cut_connection_is_asked_again(chat_server: ChatServer, requests: list[Request], settings: Settings):
    chat_server.cut = lambda number: number == 2
    replies = ask(chat_server, requests[:3], settings, **at_once(1))
    assert sorted(reply.attempts for reply in replies) == [1, 1, 2]


@pytest.mark.usefixtures("no_pauses")
def test_a_slow_reply_is_given_up_after_bounded_tries_and_the_others_come(
    chat_server: ChatServer, requests: list[Request], settings: Settings
):
    is_over = Event()
    chat_server.fault = lambda number: is_over.wait(20) * 0 if chat_server.seen[number - 1][0] == requests[0].image_sha256 else 0
    replies = {reply.request_key: reply for reply in ask(chat_server, requests[:5], settings, limits={"timeout_s": 0.3})}
    is_over.set()
    given_up = replies.pop(requests[0].request_key)
    assert (given_up.delivery, given_up.attempts) == ("error", FAULTS)
    assert "no reply within 0.3 s" in (given_up.error or "")
    assert {reply.delivery for reply in replies.values()} == {"received"}


@pytest.mark.usefixtures("no_pauses")
def test_a_server_that_is_not_there_ends_the_run(chat_server: ChatServer, requests: list[Request], settings: Settings):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(ProviderRefused, match="start the server"):
            ask(chat_server, requests, settings, base_url=url)


def test_a_used_up_quota_is_not_waited_for(chat_server: ChatServer, requests: list[Request], settings: Settings):
    chat_server.fault = lambda _: 429
    chat_server.raw = {1: b'{"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}'}
    with pytest.raises(ProviderRefused, match="quota is used up"):
        ask(chat_server, requests, settings, **at_once(1))
    assert len(chat_server.seen) == 1


def test_what_came_before_a_refusal_is_kept(chat_server: ChatServer, requests: list[Request], settings: Settings):
    chat_server.fault = lambda number: 401 if number == 4 else 0
    came: list[Reply] = []
    with open_vlm(entry_of(chat_server, **at_once(1)), settings) as vlm, pytest.raises(ProviderRefused, match="api_key_env"):
        came.extend(vlm.respond(requests))
    assert [reply.delivery for reply in came] == ["received"] * 3
    assert len(chat_server.seen) == 4


def test_extra_that_changes_what_is_asked_ends_the_cell(chat_server: ChatServer, requests: list[Request], settings: Settings):
    with pytest.raises(EveError, match="sets messages"):
        ask(chat_server, requests, settings, parameters={"extra": {"messages": []}})
    assert not chat_server.seen


@pytest.mark.parametrize("slots", [1, 4, 40])
def test_requests_are_pulled_when_there_is_a_place_for_them(
    chat_server: ChatServer, requests: list[Request], settings: Settings, slots: int
):
    pulled: list[Request] = []

    def pulling() -> Iterator[Request]:
        for request in requests:
            pulled.append(request)
            yield request

    with open_vlm(entry_of(chat_server, **at_once(slots)), settings) as vlm:
        for n_yielded, _ in enumerate(vlm.respond(pulling())):
            assert len(pulled) <= n_yielded + slots + min(slots, LOOK_AHEAD)
    assert len(pulled) == len(requests)


def test_two_cells_share_the_slots_in_turn(chat_server: ChatServer, photographs: Path, settings: Settings):
    chat_server.latency_s = 0.02
    files = sorted(photographs.rglob("*.jpg"))
    cells = {name: [request_about(file, name) for file in files * 2] for name in ("first", "second")}
    replies: dict[str, list[Reply]] = {}

    def work(name: str) -> None:
        with open_vlm(entry_of(chat_server, **at_once(4)), settings) as vlm:
            replies[name] = list(vlm.respond(cells[name]))

    with open_vlm(entry_of(chat_server, **at_once(4)), settings):
        threads = [Thread(target=work, args=[name]) for name in cells]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {name: len(found) for name, found in replies.items()} == {"first": 48, "second": 48}
    assert chat_server.peak <= 4
    asked = [body["messages"][0]["content"][1]["text"] for _, body in chat_server.seen]
    middle = asked[24:72]
    assert 12 <= middle.count("first") <= 36


def test_all_that_ask_one_server_with_one_key_share_a_flow_that_ends_with_them(
    chat_server: ChatServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OWN_KEY", "sk-own-key-1")
    plain, other, keyed = (entry_of(chat_server, **fields) for fields in ({}, {"id": "other"}, {"api_key_env": "OWN_KEY"}))
    with open_vlm(plain, settings) as first, open_vlm(other, settings) as second, open_vlm(keyed, settings) as third:
        assert first.flow is second.flow  # type: ignore[attr-defined]
        assert first.flow is not third.flow  # type: ignore[attr-defined]
        loop = first.flow.loop  # type: ignore[attr-defined]
    assert loop.is_closed()


def test_closing_cancels_what_is_under_way(chat_server: ChatServer, requests: list[Request], settings: Settings):
    is_over = Event()
    chat_server.fault = lambda number: is_over.wait(60) * 0 if number > 1 else 0
    with open_vlm(entry_of(chat_server, **at_once(4)), settings) as vlm:
        replies = vlm.respond(requests)
        next(replies)
        replies.close()  # type: ignore[attr-defined]
        assert not asyncio.run_coroutine_threadsafe(others_under_way(), vlm.flow.loop).result()  # type: ignore[attr-defined]
    assert not is_over.is_set()
    assert len(chat_server.seen) <= 5
    is_over.set()


async def others_under_way() -> list[str]:
    return [name for task in asyncio.all_tasks() if "_ask" in (name := repr(task.get_coro()))]


HEAVY = ("torch", "torchvision", "transformers", "great_expectations", "sklearn", "pandas", "dagster", "polars")
CHILD = f"""
import json, sys
from pathlib import Path
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.protocol import Request, open_vlm
from eve_pipeline.vlms.registry import ModelEntry

entry, request, home = (json.loads(text) for text in sys.argv[1:])
with open_vlm(ModelEntry.model_validate(entry), Settings(home=Path(home))) as vlm:
    [reply] = vlm.respond([Request.model_validate(request)])
print(json.dumps([reply.delivery, sorted(set({HEAVY!r}) & set(sys.modules))]))
"""


def test_asking_an_endpoint_imports_nothing_heavy(chat_server: ChatServer, requests: list[Request], settings: Settings):
    told = entry_of(chat_server).model_dump_json(), requests[0].model_dump_json(), json.dumps(str(settings.home))
    child = subprocess.run([sys.executable, "-c", CHILD, *told], capture_output=True, text=True, check=True)
    assert json.loads(child.stdout) == ["received", []]
