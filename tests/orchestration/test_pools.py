"""Pools: runs side by side wait for each other where they ask one provider, and only there."""

import subprocess
import sys
import time
from collections.abc import Callable

from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.orchestration.pools import pools_of
from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings
from tests.chat_server import ChatServer

CELL = Cell("served", "photos", "simple")
N = 24
WAITING = "Waiting for a slot"
EVALUATE = """
import sys
from pathlib import Path
from eve_pipeline.orchestration.definitions import build_definitions
from eve_pipeline.orchestration.instance import open_instance
from eve_pipeline.orchestration.launching import Launcher
from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings

settings = Settings(home=Path(sys.argv[1]))
with open_instance(settings) as instance:
    Launcher(build_definitions(settings), instance, settings).evaluate([Cell("served", "photos", "simple")])
"""


def test_a_provider_has_one_pool(prepared: Settings, add_model: Callable[..., None], chat_server: ChatServer):
    add_model("second", backend="openai", id="other", base_url=chat_server.url)
    port = chat_server.server.server_port
    cells = [Cell(model, "photos", "simple") for model in ("served", "second", "demo-llava-base", "demo-llava-small", "gpt-4o", "gone")]
    assert pools_of(cells, prepared) == [f"http_127_0_0_1_{port}_v1", "local", "openai"]


def test_a_run_waits_until_another_has_asked_the_provider(prepared: Settings, chat_server: ChatServer):
    [pool] = pools_of([CELL], prepared)
    with open_instance(prepared) as instance:
        storage = instance.event_log_storage
        storage.initialize_concurrency_limit_to_default(pool)
        assert storage.claim_concurrency_slot(pool, "another run", "evaluation").is_claimed
        run = subprocess.Popen([sys.executable, "-c", EVALUATE, str(prepared.home)])
        while not (runs := instance.get_runs()) or not any(
            WAITING in str(event.user_message) for event in instance.all_logs(runs[0].run_id)
        ):
            assert run.poll() is None, "it did not wait"
            time.sleep(0.2)
        assert not chat_server.seen
        storage.free_concurrency_slot_for_step("another run", "evaluation")
        assert run.wait() == 0
        assert len(chat_server.seen) == N
        assert storage.get_concurrency_info(pool).active_slot_count == 0
