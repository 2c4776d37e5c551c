"""`transformers serve`, started and asked by the command and the entry that docs/models/endpoints.md shows."""

import json
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from eve_pipeline.datasets.drawing import draw_dataset
from eve_pipeline.settings import PROJECT, Settings
from eve_pipeline.vlms.protocol import open_vlm
from eve_pipeline.vlms.registry import ModelEntry
from tests.vlms.tiny_models import request_for

PAGE = (PROJECT / "docs" / "models" / "endpoints.md").read_text().partition("## transformers serve")[2]
COMMAND, ENTRY = (re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL).group(1) for language in ("sh", "yaml"))  # type: ignore[union-attr]
DOCUMENTED_PORT = "8001"
TRANSFORMERS = """
import sys

sys.modules["torchvision"] = None  # PyPI's cannot decode pictures beside a torch for the CPU alone; without it Pillow does

from transformers.cli.transformers import main

main()
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The documented command on a free port, once it is up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    arguments = shlex.split(COMMAND.replace(DOCUMENTED_PORT, port))[1:]
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    command = [sys.executable, "-c", TRANSFORMERS, *arguments]
    with log.open("w") as output, subprocess.Popen(command, cwd=PROJECT, stdout=output, stderr=output) as server:
        try:
            wait_until_up(server, port, log)
            yield port
        finally:
            server.kill()


def wait_until_up(server: subprocess.Popen[bytes], port: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
        else:
            return
    pytest.fail(f"the server did not come up:\n{log.read_text()[-3000:]}")


def test_a_local_server_answers_by_the_documented_entry(port: str, tmp_path: Path):
    [(key, fields)] = yaml.safe_load(ENTRY.replace(DOCUMENTED_PORT, port)).items()
    draw_dataset(tmp_path / "drawn", seed=1, per_emotion=1)
    prompt = 'Answer only with JSON: {"prediction": "<emotion>"}. Which emotion does the picture evoke: awe, fear, sad?'
    requests = [request_for(file, prompt) for file in sorted((tmp_path / "drawn").glob("*.jpg"))[:4]]
    with open_vlm(ModelEntry.model_validate({"key": key} | fields), Settings(home=tmp_path)) as vlm:
        replies = list(vlm.respond(requests))
    assert sorted(reply.request_key for reply in replies) == sorted(request.request_key for request in requests)
    for reply in replies:
        assert (reply.delivery, reply.finish_reason) == ("received", "stop"), reply.error
        assert "prediction" in json.loads(reply.text or "")
        assert reply.served_model


def test_it_says_of_every_picture_what_the_same_checkpoint_says_here(port: str, tmp_path: Path):
    [(key, fields)] = yaml.safe_load(ENTRY.replace(DOCUMENTED_PORT, port)).items()
    served = ModelEntry.model_validate({"key": key} | fields)
    local = {"id": served.id, "path": PROJECT / served.id, "parameters": served.parameters, "dtype": "float16"}  # as the server takes it
    here = ModelEntry.model_validate({"key": "here", "backend": "transformers"} | local)
    draw_dataset(tmp_path / "drawn", seed=2, per_emotion=1)
    prompts = (
        'Answer only with JSON: {"prediction": "<emotion>"}. Which emotion does the picture evoke: awe, fear, sad?',
        "Which of these emotions does the picture evoke: amusement, anger, contentment, disgust?",
    )
    requests = [request_for(file, prompt) for file in sorted((tmp_path / "drawn").glob("*.jpg")) for prompt in prompts]
    texts = []
    for entry in (served, here):
        with open_vlm(entry, Settings(home=tmp_path, device="cpu")) as vlm:
            replies = {reply.request_key: reply for reply in vlm.respond(requests)}
        assert {reply.delivery for reply in replies.values()} == {"received"}
        texts.append([replies[request.request_key].text for request in requests])
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 1
