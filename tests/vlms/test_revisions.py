import os
from pathlib import Path

import pytest

from eve_pipeline.errors import EveError
from eve_pipeline.vlms.registry import ModelEntry
from eve_pipeline.vlms.revisions import model_revision


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


def test_an_endpoint_is_known_by_its_model_id():
    assert model_revision(ModelEntry(key="m", backend="openai", id="gpt-4o-2024-08-06")) == "gpt-4o-2024-08-06"


def test_an_empty_folder_names_the_entry_and_the_ways_to_get_the_model(tmp_path: Path):
    with pytest.raises(EveError, match=r"'mine'.*cannot be reached") as caught:
        model_revision(local(tmp_path / "nowhere"))
    assert "hf download mine" in caught.value.hint
    assert "base_url" in caught.value.hint


def test_a_hub_model_is_known_by_its_cached_commit_where_the_hub_is_out_of_reach(tmp_path: Path):
    """In a process of its own, since huggingface_hub reads its settings once."""
    import subprocess
    import sys

    commit = "a" * 40
    repository = tmp_path / "hub" / "models--org--model"
    (repository / "snapshots" / commit).mkdir(parents=True)
    (repository / "snapshots" / commit / "config.json").write_text("{}")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    script = "from eve_pipeline.vlms.registry import ModelEntry as M; from eve_pipeline.vlms.revisions import model_revision\n"
    script += "for i in ('org/model', 'org/other'):\n  try: print(model_revision(M(key='m', backend='transformers', id=i)))\n"
    script += "  except Exception as e: print(type(e).__name__, e)"
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()[:2]
    assert first == commit
    assert second.startswith("EveError Model 'm' (org/other) cannot be reached")
