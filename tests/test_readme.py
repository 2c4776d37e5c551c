"""Every command of the README works, and every command and table is in it."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from eve_pipeline.cli import app
from eve_pipeline.settings import PROJECT
from eve_pipeline.warehouse.contract import contracts
from tests.shell import eve

README = (PROJECT / "README.md").read_text()
GROUPS = {"annotate", "datasets", "gallery"}


def blocks(language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def shown() -> dict[str, list[str]]:
    """Commands with the output that the README shows."""
    found: dict[str, list[str]] = {}
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *output = part.rstrip().splitlines()
            found[command] = output
    return found


def told() -> list[str]:
    """Commands that the README names without their output."""
    lines = (line.partition("#")[0].strip() for block in blocks("sh") for line in block.splitlines())
    return [line for line in lines if line]


@pytest.mark.parametrize("command", [command for command in shown() if command.startswith("eve ")])
def test_a_shown_command_prints_what_is_shown(demo_home: Path, command: str):
    done = eve(*shlex.split(command)[1:], home=demo_home)
    assert done.returncode == 0, done.stderr
    header = next(line for line in shown()[command] if line.strip())
    assert header.split() in [line.split() for line in done.stdout.splitlines()]


@pytest.mark.parametrize("command", told())
def test_a_told_command_exists_with_its_options(command: str):
    words = [word for word in shlex.split(command) if "=" not in word]
    if words[0] == "make":
        subprocess.run(["make", "-n", *words[1:]], cwd=PROJECT, check=True, capture_output=True)
        return
    subcommand = words[1:3] if words[1] in GROUPS else words[1:2]
    assert words[0] == "eve"
    help_text = CliRunner().invoke(app, [*subcommand, "--help"], env={"COLUMNS": "200"}).output
    for option in (word for word in words if word.startswith("--")):
        assert option in help_text


def test_every_command_is_named():
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name in commands:
        assert re.search(rf"\beve {name}\b", README), name


def test_every_table_is_named():
    marts = (PROJECT / "dbt_like_models" / "models" / "marts").glob("*.sql")
    for table in [f"marts.{file.stem}" for file in marts] + [f"raw.{table}" for table in contracts()]:
        assert f"`{table}`" in README, table


@pytest.mark.parametrize("page", [PROJECT / "README.md", *PROJECT.glob("assets_data/**/*.md"), PROJECT / "CONTRIBUTING.md"])
def test_links_within_the_repository_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target
