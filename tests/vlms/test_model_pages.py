"""The pages of docs/models: their commands, entries, classes and figures."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from eve_pipeline.accelerator import prepare_torch
from eve_pipeline.cli import app
from eve_pipeline.settings import PROJECT, Settings
from eve_pipeline.vlms.registry import ModelEntry, model_entries

PAGES = sorted((PROJECT / "docs" / "models").glob("*.md"))
INDEX = PROJECT / "docs" / "models" / "README.md"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands() -> Iterator[str]:
    for page in PAGES:
        for line in "".join(blocks(page, "sh")).splitlines():
            if line.startswith("eve "):
                yield line


def rows(page: Path) -> Iterator[list[str]]:
    for line in page.read_text().splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("command", commands())
def test_a_command_exists_with_its_options_and_models(command: str):
    words = shlex.split(command)
    help_text = CliRunner().invoke(app, [words[1], "--help"], env={"COLUMNS": "200"}).output
    assert all(option in help_text for option in words if option.startswith("--"))
    described = {key for page in PAGES for block in blocks(page, "yaml") for key in yaml.safe_load(block)}
    assert words[words.index("--model") + 1] in set(model_entries(Settings())) | described


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_an_entry_on_a_page_is_a_valid_entry(page: Path):
    for block in blocks(page, "yaml"):
        for key, fields in yaml.safe_load(block).items():
            ModelEntry.model_validate({"key": key} | fields)


def test_every_shipped_model_is_on_the_index_under_a_class_that_transformers_has():
    prepare_torch()
    import transformers

    named: list[str] = []
    for _, _, classes, entries in (row for row in rows(INDEX) if row[0] not in {"family", "---"}):
        named += re.findall(r"`([^`]+)`", entries)
        for name in re.findall(r"`([^`]+)`", classes):
            assert issubclass(getattr(transformers, name), transformers.PreTrainedModel)
    assert sorted(named) == sorted(key for key in model_entries(Settings()) if not key.startswith("demo-"))


def test_weights_are_two_bytes_a_parameter_and_the_ids_those_of_the_entries():
    told = {}
    for page in PAGES:
        for row in rows(page):
            if row[0].startswith("`") and len(row) == 4:
                key, model = row[0].strip("`"), re.findall(r"\[(.*?)\]", row[1])[0]
                assert float(row[3]) == pytest.approx(2 * float(row[2]))
                told[key] = model
    entries = model_entries(Settings())
    assert told == {key: entry.id for key, entry in entries.items() if key in told}
    assert set(told) >= {key for key, entry in entries.items() if entry.backend == "transformers" and not entry.path}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path):
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)]*)\)", page.read_text()):
        file = page.parent / target if target else page
        assert target.startswith("http") or file.exists(), target
        if anchor and not target.startswith("http"):
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, anchor
