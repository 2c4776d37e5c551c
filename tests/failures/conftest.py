"""An EVE_HOME with one answered cell, made once, and copies of it that a case may spoil."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.chat_server import LABELS, ChatServer
from tests.failures.home import N_IMAGES, RUN, Home, copied
from tests.shell import eve


@pytest.fixture(scope="session")
def prepared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The home that every case gets a copy of."""
    folder = tmp_path_factory.mktemp("failures")
    rng, photographs, home = np.random.default_rng(0), folder / "photographs", folder / "home"
    for number in range(N_IMAGES):
        file = photographs / LABELS[number % len(LABELS)] / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(file)
    (home / "datasets").mkdir(parents=True)
    with ChatServer() as server:
        model = {"backend": "openai", "id": "stub", "base_url": server.url, "limits": {"max_in_flight": 4}}
        (home / "models.yaml").write_text(yaml.safe_dump({"served": model}))
        for command in (
            ("datasets", "add", "photos", "--path", str(photographs), "--reader", "folder", "--labels", "mikels"),
            (*RUN, "simple"),
        ):
            done = eve(*command, home=home)
            assert done.returncode == 0, done.stderr
        yield Home(home, photographs, server)


@pytest.fixture
def home(prepared_home: Home, tmp_path: Path) -> Home:
    """A copy that a case may spoil."""
    return copied(prepared_home, tmp_path / "home", tmp_path)
