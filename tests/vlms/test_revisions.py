import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from eve_pipeline.errors import EveError
from eve_pipeline.vlms.registry import ModelEntry
from eve_pipeline.vlms.revisions import is_settled, model_revision
from tests.json_server import json_server


def local(folder: Path) -> ModelEntry:
    return ModelEntry(key="mine", backend="transformers", id="mine", path=folder)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    return tmp_path


def test_a_stated_revision_wins(checkpoint: Path):
    assert model_revision(local(checkpoint).model_copy(update={"revision": "v7"})) == "v7"


def test_a_local_revision_follows_contents_and_names_alone(checkpoint: Path):
    before = model_revision(local(checkpoint))
    os.utime(checkpoint / "model.safetensors", (0, 0))
    (checkpoint / "README.md").write_text("about")
    assert model_revision(local(checkpoint)) == before
    (checkpoint / "model.safetensors").write_bytes(b"weights!")
    assert model_revision(local(checkpoint)) != before


def test_a_linked_folder_is_part_of_the_checkpoint_and_what_tools_leave_is_not(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "part.bin").write_bytes(b"weights")
    before = model_revision(local(checkpoint))
    (checkpoint / ".DS_Store").write_bytes(b"a folder's looks")
    (checkpoint / ".cache").mkdir()
    (checkpoint / ".cache" / "model.safetensors.metadata").write_text("a download's")
    assert model_revision(local(checkpoint)) == before
    (checkpoint / "sub").symlink_to(elsewhere)
    (elsewhere / "loop").symlink_to(checkpoint)
    linked = model_revision(local(checkpoint))
    assert linked != before
    (elsewhere / "part.bin").write_bytes(b"others")
    assert model_revision(local(checkpoint)) != linked


def test_an_endpoint_is_known_by_its_model_id():
    assert model_revision(ModelEntry(key="m", backend="openai", id="gpt-4o-2024-08-06")) == "gpt-4o-2024-08-06"


def test_an_empty_folder_names_the_entry_and_the_ways_to_get_the_model(tmp_path: Path):
    with pytest.raises(EveError, match=r"'mine'.*cannot be reached") as caught:
        model_revision(local(tmp_path / "nowhere"))
    assert "hf download" not in caught.value.hint
    assert f"Put the whole checkpoint into {tmp_path / 'nowhere'}" in caught.value.hint
    assert "base_url" in caught.value.hint


class Hub:
    """A hub whose models are all at `commit`, or that replies with `status`."""

    url: str

    def __init__(self) -> None:
        self.commit, self.status = "b" * 40, 200

    def reply(self, request: BaseHTTPRequestHandler) -> tuple[int, object]:
        return self.status, {"id": request.path.removeprefix("/api/models/"), "sha": self.commit}


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    with json_server(hub.reply) as at:
        hub.url = f"http://{at}"
        yield hub


RESOLVING = """
import sys
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.listings import observed_revision
from eve_pipeline.vlms.registry import ModelEntry
from eve_pipeline.vlms.revisions import is_settled, model_revision

for line in sys.stdin:
    what, name, *asked_before = line.split()
    entry = ModelEntry(key="m", backend="transformers", id=name)
    try:
        print(observed_revision(entry, Settings()) if what == "observed" else model_revision(entry, *asked_before), flush=True)
    except Exception as error:
        print(type(error).__name__, str(error).replace(chr(10), " "), flush=True)
"""
Resolve = Callable[..., str]


@pytest.fixture
def resolve(hub: Hub, tmp_path: Path) -> Iterator[Resolve]:
    """A function that resolves in a process of its own, since huggingface_hub reads its settings once; of org/model it has two commits."""
    repository = tmp_path / "hub" / "models--org--model"
    for commit in ("a" * 40, "b" * 40):
        (repository / "snapshots" / commit).mkdir(parents=True)
        (repository / "snapshots" / commit / "config.json").write_text("{}")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_ENDPOINT": hub.url}
    command = [sys.executable, "-c", RESOLVING]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:

        def resolve(*words: str) -> str:
            assert child.stdin
            assert child.stdout
            child.stdin.write(" ".join(words) + "\n")
            child.stdin.flush()
            return child.stdout.readline().strip()

        yield resolve
        child.communicate()


def test_a_hub_models_revision_is_the_commit_that_the_hub_names(hub: Hub, resolve: Resolve):
    assert resolve("observed", "org/model") == resolve("asked", "org/model") == "b" * 40
    hub.commit = "c" * 40
    assert resolve("observed", "org/model") == resolve("asked", "org/model", "b" * 40) == "c" * 40


def test_where_the_hub_is_out_of_reach_nothing_is_observed_and_the_cached_copy_that_was_asked_before_is_asked(hub: Hub, resolve: Resolve):
    """Without one, that to which the cache's ref points."""
    hub.status = 503
    assert resolve("observed", "org/model").startswith("EveError Model 'm' (org/model) cannot be reached")
    assert resolve("asked", "org/model", "b" * 40) == "b" * 40
    assert resolve("asked", "org/model") == resolve("asked", "org/model", "c" * 40) == "a" * 40
    assert resolve("asked", "org/other").startswith("EveError Model 'm' (org/other) cannot be reached")


def test_a_folder_in_which_something_was_just_written_is_not_settled(checkpoint: Path):
    os.utime(checkpoint / "model.safetensors", (0, 0))
    os.utime(checkpoint / "config.json", (0, 0))
    os.utime(checkpoint / "model.safetensors", (2**32, 2**32))
    assert is_settled(checkpoint, 0), "nor does a clock that was wrong count"
    assert not is_settled(checkpoint, 3600), "a copy may keep the times of what it copies"
    assert is_settled(checkpoint, 0)
    assert is_settled(checkpoint / "nowhere", 3600), "nothing is being copied there"
