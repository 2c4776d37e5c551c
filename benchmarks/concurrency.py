"""Five minutes of everybody at once in one EVE_HOME: what becomes of the replies, and of who reads them.

Eight processes run `eve run` on different cells and two on the same one; two read the published database, two publish, one compacts, and
one more process that asks is killed (-9) every few seconds.
"""

import argparse
import tempfile
from pathlib import Path

import yaml
from kills import prepare

from tests.chat_server import ChatServer
from tests.crowding import crowd, crowd_cells, models


def main() -> None:
    """Print one count a line, and what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ChatServer() as server:
        server.latency_s = 0.1
        settings = prepare(Path(folder), server.url)
        cells = crowd_cells("pictures")
        (settings.home / "models.yaml").write_text(yaml.safe_dump(models(cells, server.url)))
        counts = crowd(cells, given.minutes * 60, settings, server, Path(folder))
    for name, count in counts._asdict().items():
        print(f"{name:18} {count if name != 'errors' else len(count)}")
    for error in counts.errors:
        print(error)
    raise SystemExit(bool(counts.errors or counts.n_lost or counts.n_doubled or counts.n_asked_twice))


if __name__ == "__main__":
    main()
