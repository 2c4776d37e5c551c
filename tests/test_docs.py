"""Every command of docs/datasets works on a dataset in the layout that its page describes; those of other pages exist."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from eve_pipeline.cli import app
from eve_pipeline.datasets.public import public_datasets
from eve_pipeline.settings import PROJECT, Settings
from tests.datasets import layouts
from tests.datasets.layouts import picture, write, zipped
from tests.file_server import FileServer

DOCS = PROJECT / "docs"
SETTINGS = Settings()
MADE: dict[str, Callable[[Path], Path]] = {
    "testImages_artphoto.zip": lambda path: zipped(layouts.artphoto, path),
    "testImages_abstract.zip": lambda path: zipped(layouts.abstract, path),
    "Emotion6.zip": lambda path: zipped(layouts.emotion6, path),
    "EmoSet-118K": layouts.emoset,
    "emotion_dataset": layouts.fi_folders,
    "FI": layouts.fi_csv,
    "my_pictures": layouts.fi_folders,
    "photographs": lambda path: write(picture(path / "a.jpg").with_name("ratings.csv"), "image,valence,arousal\na.jpg,4.5,2\n").parent,
}
"""What the pages call the files that a user has, and how the tests make them."""


def blocks(page: Path) -> Iterator[list[str]]:
    """Yield the `eve ...` commands of each ```sh and ```console block."""
    for language, block in re.findall(r"^```(sh|console)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        lines = (line.removeprefix("$ ") if line.startswith("$ ") or language == "sh" else "" for line in block.splitlines())
        if commands := [line for line in (line.partition(" #")[0].strip() for line in lines) if re.match(r"(\w+=\S+ )*eve ", line)]:
            yield commands


def in_pages(pages: Iterator[Path]) -> list[object]:
    return [pytest.param(commands, id=f"{page.stem}-{n}") for page in sorted(pages) for n, commands in enumerate(blocks(page))]


@pytest.fixture
def run(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Result]]:
    """Run a command in a folder with what it names, and with the public links leading to a server on loopback."""
    monkeypatch.setenv("EVE_HOME", str(settings.home))
    monkeypatch.chdir(tmp_path)
    with FileServer(b"") as server:

        def run(command: str) -> Result:
            words = shlex.split(command)[1:]
            for name, make in MADE.items():
                if any(word.split("/")[0] == name for word in words) and not (tmp_path / name).exists():
                    make(tmp_path / name)
            if words[1] == "fetch":
                serve(words[2], server, settings, tmp_path)
            return CliRunner().invoke(app, words)

        yield run


def serve(key: str, server: FileServer, settings: Settings, folder: Path) -> None:
    archive = MADE[f"testImages_{key}.zip"](folder / "served" / f"testImages_{key}.zip")
    server.content = archive.read_bytes()
    shipped = yaml.safe_load((settings.assets_data / "public_datasets" / f"{key}.yaml").read_text())
    download = {"download": f"{server.url}/{shipped['download'].rpartition('/')[-1]}"}
    write(settings.home / "public_datasets" / f"{key}.yaml", yaml.safe_dump(shipped | download))


@pytest.mark.parametrize("commands", in_pages(DOCS.glob("datasets/*.md")))
def test_the_commands_of_a_block_work_one_after_the_other(commands: list[str], run: Callable[[str], Result]):
    for command in commands:
        done = run(command)
        assert done.exit_code == 0, f"{command}\n{done.output}"


@pytest.mark.parametrize("commands", in_pages(page for page in DOCS.rglob("*.md") if page.parent.name != "datasets"))
def test_other_commands_exist_with_their_options(commands: list[str]):
    for command in commands:
        words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=.*", word)]
        subcommand = words[1:3] if words[1] in {"datasets", "annotate"} else words[1:2]
        help_text = CliRunner().invoke(app, [*subcommand, "--help"], env={"COLUMNS": "200"}).output
        for option in (word.partition("=")[0] for word in words if word.startswith("--")):
            assert option in help_text, command


@pytest.mark.parametrize("key", public_datasets(SETTINGS))
def test_every_public_dataset_has_a_page_that_says_what_its_description_says(key: str):
    page, dataset = (DOCS / "datasets" / f"{key}.md").read_text(), public_datasets(SETTINGS)[key]
    assert f"eve datasets add {key} --path" in page
    assert (f"eve datasets fetch {key}" in page) == bool(dataset.download)
    assert dataset.licence in page
    assert ("--hard-subset" in page) == bool(dataset.hard_subset)
    assert f"{dataset.expected.images[1]:,}" in page
    for label, n in dataset.expected.labels.items():
        assert f"{label} {n}" in page


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")))
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target
