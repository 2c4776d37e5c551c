"""Everybody at once: no error, no reply lost or doubled, and no published database that contradicts itself."""

from pathlib import Path

import yaml

from eve_pipeline.settings import Settings
from tests.chat_server import ChatServer
from tests.crowding import N_APART, crowd, crowd_cells, models


def test_runs_readers_publishers_a_compaction_and_kills_do_not_disturb_each_other(
    prepared: Settings, chat_server: ChatServer, tmp_path: Path
):
    cells = crowd_cells("photos")
    (prepared.home / "models.yaml").write_text(yaml.safe_dump(models(cells, chat_server.url)))
    chat_server.latency_s = 0.1
    counts = crowd(cells, 20, prepared, chat_server, tmp_path)
    assert counts.errors == []
    assert (counts.n_lost, counts.n_doubled, counts.n_asked_twice) == (0, 0, 0)
    assert counts.n_stored == counts.n_requests >= (N_APART + 1) * 24
    assert counts.n_runs + counts.n_skipped >= N_APART + 2
    assert min(counts.n_publications, counts.n_reads) >= 2
    assert counts.n_compactions >= 1
