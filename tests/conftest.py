"""Shared fixtures: an empty EVE_HOME, a small dataset of real files, and a real OpenAI-compatible server on loopback."""

import gc
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import yaml
from PIL import Image
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from eve_pipeline.settings import Settings
from tests.chat_server import ChatServer
from tests.shell import eve

os.environ["DO_NOT_TRACK"] = "1"
hypothesis.settings.register_profile("project", deadline=None, max_examples=50)
hypothesis.settings.load_profile("project")


@cache
def shares_the_demo(file: Path) -> bool:
    """Whether tests of a file use the demo's home, by their own or their folder's fixtures."""
    fixtures = file.with_name("conftest.py")
    sources = {file, fixtures} if fixtures.exists() and fixtures != Path(__file__) else {file}
    return any("demo_home" in source.read_text(encoding="utf-8") for source in sources)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that share the demo's home: they take longest, and one process runs them all."""
    items.sort(key=lambda item: not shares_the_demo(item.path))


class FileScheduling(LoadScopeScheduling):
    """Runs a file's tests in one process, and in one all that share the demo's home, which takes minutes to make."""

    def _split_scope(self, nodeid: str) -> str:
        file = self.config.rootpath / nodeid.partition("::")[0]
        return "demo" if shares_the_demo(file) else str(file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    """Let pytest-xdist hand out files; its own loadgroup does not group with pytest 9.2."""
    return FileScheduling(config, log)


@pytest.fixture(scope="module", autouse=True)
def _no_garbage_is_sought_in_what_is_loaded() -> None:
    """A twelfth of some tests' time goes there otherwise, and statsmodels' `multipletests` seeks all of it at each call."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an empty EVE_HOME."""
    return Settings(home=tmp_path / "home")


@pytest.fixture
def chat_server() -> Iterator[ChatServer]:
    """A server that answers each image with an emotion chosen by its bytes."""
    with ChatServer() as server:
        yield server


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A class folder of 24 distinct JPEG files, three a Mikels emotion."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "photographs"
    for label in ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness"):
        (folder / label).mkdir(parents=True)
        for number in range(3):
            pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.jpg")
    return folder


@pytest.fixture
def add_model(settings: Settings) -> Callable[..., None]:
    """A function that adds an entry to the user's models.yaml."""

    def add(key: str, **fields: object) -> None:
        file = settings.home / "models.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        entries = yaml.safe_load(file.read_text()) if file.exists() else {}
        file.write_text(yaml.safe_dump(entries | {key: fields}))

    return add


@pytest.fixture
def prepared(settings: Settings, photographs: Path, chat_server: ChatServer, add_model: Callable[..., None]) -> Settings:
    """Settings of an EVE_HOME with the dataset `photos` materialized and the model `served` on the chat server."""
    from eve_pipeline.datasets.adding import add_dataset
    from eve_pipeline.datasets.catalogue import build_images
    from eve_pipeline.hard_subset.items import build_items
    from eve_pipeline.warehouse.paths import Warehouse

    entry = add_dataset("photos", "folder", photographs, settings, labels="mikels")
    build_images(entry, settings, Warehouse.of(settings))
    build_items(entry, settings, Warehouse.of(settings))
    add_model("served", backend="openai", id="stub", base_url=chat_server.url, limits={"max_in_flight": 4})
    return settings


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of an EVE_HOME with nothing in it, published; tests do not change it."""
    from eve_pipeline.warehouse.paths import Warehouse
    from eve_pipeline.warehouse.publish import publish

    settings = Settings(home=tmp_path_factory.mktemp("empty") / "home")
    publish(Warehouse.of(settings), settings)
    return settings


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An EVE_HOME in which `eve demo` has run, in a process of its own; tests may add to it but not change what is there."""
    home = tmp_path_factory.mktemp("demo") / "home"
    done = eve("demo", home=home)
    assert done.returncode == 0, done.stderr
    (home / "demo.txt").write_text(done.stdout)
    return home
