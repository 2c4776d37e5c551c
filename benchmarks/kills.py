"""Kill -9 at random moments, 50 times in one EVE_HOME: what becomes of the replies.

Each process asks three prompts about 24 pictures once more than the one before; a moment after its first request it is killed.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from eve_pipeline.datasets.adding import add_dataset
from eve_pipeline.datasets.catalogue import build_images
from eve_pipeline.hard_subset.items import build_items
from eve_pipeline.responses.cells import Cell
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from tests.chat_server import ChatServer
from tests.killing import kill_while_asking

KILLS = 50
MODEL = {"backend": "openai", "id": "stub", "parameters": {"temperature": 1}, "limits": {"max_in_flight": 4}}


def prepare(folder: Path, url: str) -> Settings:
    """Return the settings of an EVE_HOME with 24 pictures and a model on the server."""
    rng = np.random.default_rng(0)
    for number in range(24):
        file = folder / "pictures" / ("fear", "awe")[number % 2] / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(file)
    settings = Settings(home=folder / "home")
    entry = add_dataset("pictures", "folder", folder / "pictures", settings)
    build_images(entry, settings, Warehouse.of(settings))
    build_items(entry, settings, Warehouse.of(settings))
    (settings.home / "models.yaml").write_text(yaml.safe_dump({"served": MODEL | {"base_url": url}}))
    return settings


def main() -> None:
    """Print one line of counts."""
    n_kills = int(sys.argv[1]) if sys.argv[1:] else KILLS
    with tempfile.TemporaryDirectory() as folder, ChatServer() as server:
        server.latency_s = 0.05
        settings = prepare(Path(folder), server.url)
        cells = [Cell("served", "pictures", prompt) for prompt in ("simple", "explanation", "no_labels")]
        counts = kill_while_asking(cells, n_kills, settings, server)
    print("   ".join(f"{name} {count}" for name, count in counts._asdict().items()))


if __name__ == "__main__":
    main()
