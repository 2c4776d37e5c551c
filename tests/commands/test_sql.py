"""`eve sql`: options, what it says beside the result, and the prompt in a real terminal."""

import io
import json
import os
import pty
import re
import select
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result
from typer.testing import CliRunner

from eve_pipeline.cli import app
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.publish import publication
from eve_pipeline.warehouse.tables import write_table
from tests.shell import EVE, eve

Ask = Callable[..., Result]
READY = "\x1b[?2004h"  # sent when the prompt has the terminal to itself
ESCAPES = re.compile(r"\x1b(\[[?0-9;]*[a-zA-Z]|.)")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published EVE_HOME with two items of a subset."""
    settings = Settings(home=tmp_path_factory.mktemp("eve"))
    warehouse = Warehouse.of(settings)
    items = pl.DataFrame({"subset": "s", "dataset": "s", "image_id": ["a", "b"]})
    write_table(items, "benchmark_items", warehouse.file("benchmark_items", "s"))
    with publication(warehouse, settings):
        pass
    return settings.home


@pytest.fixture
def ask(home: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.setenv("EVE_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *arguments: CliRunner().invoke(app, ["sql", *map(str, arguments)])


def test_a_cut_table_says_so(ask: Ask):
    shown = ask("from range(5)", "--max-rows", "2")
    assert shown.exit_code == 0
    assert [line.strip() for line in shown.stdout.splitlines() if line.strip().isdigit()] == ["0", "1"]
    assert "Only the first 2 rows" in shown.stderr
    assert "Only the first 1,000 rows" in ask("from range(1001)").stderr
    assert not ask("from range(5)", "--max-rows", "5").stderr
    assert not ask("from range(5)", "--max-rows", "0").stderr


def test_other_formats_hold_all_rows_unless_they_are_limited(ask: Ask, tmp_path: Path):
    assert len(ask("from range(1500)", "--format", "csv").stdout.splitlines()) == 1501
    cut = ask("from range(1500)", "--format", "csv", "--max-rows", "3")
    assert cut.stdout == "range\n0\n1\n2\n"
    assert "Only the first 3 rows" in cut.stderr
    file = tmp_path / "rows.parquet"
    assert ask("from range(1500)", "--format", "parquet", "--output", file).exit_code == 0
    assert pl.read_parquet(file).height == 1500


def test_whole_numbers_are_numbers_in_json_and_a_folder_is_made(ask: Ask, tmp_path: Path):
    file = tmp_path / "new" / "sums.json"
    assert ask("select sum(range) as s, 2::hugeint ** 100 as large from range(5)", "--format", "json", "--output", file).exit_code == 0
    assert json.loads(file.read_text())[0]["s"] == 10
    assert "cannot be written" in ask("select 1", "--format", "csv", "--output", "/proc/nowhere/x.csv").stderr


@pytest.mark.parametrize(
    ("value", "kind"), [("5", "INTEGER"), ("-2.5", "DOUBLE"), ("0123", "VARCHAR"), ("no", "VARCHAR"), ("[1,", "VARCHAR")]
)
def test_a_parameter_is_a_number_or_the_text_as_it_is(ask: Ask, value: str, kind: str):
    assert ask("select typeof($x) as kind", "-p", f"x={value}", "--format", "csv").stdout == f"kind\n{kind}\n"


def test_no_rows_is_said_beside_the_result(ask: Ask):
    shown = ask("select 1 as one where false", "--format", "csv")
    assert shown.stdout == "one\n"
    assert shown.stderr == "No rows.\n"


def test_all_kinds_of_values_are_written(ask: Ask):
    query = "select 'ab'::blob as b, map {'k': 1} as m, ['x'] as l, null as n"
    assert ask(query, "--format", "csv").stdout == 'b,m,l,n\n6162,"{""k"": 1}","[""x""]",\n'
    assert json.loads(ask(query, "--format", "json").stdout)[0]["b"] == "6162"
    assert pl.read_parquet(io.BytesIO(ask(query, "--format", "parquet").stdout_bytes))["b"].item() == b"ab"
    assert "'k': 1" in ask(query).stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--named", "hard_thresholds", "-p", "datset=x"), ["no parameter datset", "dataset (by default sample)"]),
        (("--named", "rejected_images", "-p", "x=1"), ["no parameter x", "It has none"]),
        (
            ("--named", "hardest_images", "-p", "limit=no"),
            ["limit of the query 'hardest_images' is a number, not 'no'", "By default it is 20"],
        ),
        (("--describe", "nothing"), ["no table 'nothing'", "raw.benchmark_items"]),
        (("--tables", "--dictionary"), ["two questions"]),
        (("select 1", "--tables"), ["two questions"]),
        (("select repeat('x', 1_000_000_000)", "--max-memory", "0.3"), ["more than 0.3 GB", "--max-memory 0.6"]),
        (("select count(*) from range(10_000_000) a, range(10_000_000) b", "--max-seconds", "0.5"), ["more than 0.5 s", "--max-seconds 5"]),
        (("copy (select 1) to '/tmp/x'",), ["Only a single SELECT"]),
    ],
)
def test_what_is_wrong_is_told(ask: Ask, arguments: tuple[str, ...], told: list[str]):
    result = ask(*arguments)
    assert result.exit_code == 1
    assert not result.stdout
    for part in told:
        assert part in result.stderr


def test_tables_are_listed_with_rows_and_meaning(ask: Ask):
    listed = {row["table"]: row for row in json.loads(ask("--tables", "--format", "json").stdout)}
    assert listed["raw.benchmark_items"] == {
        "table": "raw.benchmark_items",
        "rows": 2,
        "holds": "One image of a subset that models are asked about.",
    }
    assert listed["raw.responses"]["rows"] == 0


@pytest.mark.parametrize("name", ["raw.benchmark_items", "benchmark_items", "RAW.Benchmark_Items"])
def test_a_table_is_described(ask: Ask, name: str):
    columns = json.loads(ask("--describe", name, "--format", "json").stdout)
    assert columns[1] == {"name": "dataset", "type": "VARCHAR", "meaning": "key of the dataset"}
    assert len(columns) == 4


def test_the_dictionary_is_written(ask: Ask, tmp_path: Path):
    file = tmp_path / "tables.md"
    assert ask("--dictionary", "--output", file).exit_code == 0
    assert file.read_text() == ask("--dictionary").stdout
    assert "| `image_id` | `VARCHAR` | name of the image within the dataset |" in file.read_text()


def test_without_a_terminal_the_named_queries_are_listed(ask: Ask):
    assert "Which models recognise the evoked emotion best" in ask().stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("eve sql --named lead", "Which models recognise the evoked emotion best"),
        ("eve sql --describe raw.bench", "One image of a subset that models are asked about."),
    ],
)
def test_the_shell_completes_names(home: Path, monkeypatch: pytest.MonkeyPatch, typed: str, offered: str):
    monkeypatch.setenv("_EVE_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", typed)
    assert offered in eve(home=home).stdout


def test_the_shell_completes_nothing_without_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("_EVE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "eve sql --describe raw")
    monkeypatch.setenv("COMP_CWORD", "3")
    assert eve(home=tmp_path).stdout.strip() == ""


class Terminal:
    """`eve sql` in a pseudo-terminal."""

    def __init__(self, home: Path) -> None:
        environment = os.environ | {"EVE_HOME": str(home), "TERM": "xterm", "COLUMNS": "120", "LINES": "40", "PROMPT_TOOLKIT_NO_CPR": "1"}
        self.sent, self.n_read = b"", 0
        self.process, self.file = pty.fork()
        if not self.process:
            os.execve(EVE, ["eve", "sql"], environment)  # noqa: S606 - pty.fork leaves it to us to start the program

    def type(self, keys: str) -> None:
        os.write(self.file, keys.encode())

    def read_until(self, wanted: str) -> str:
        """Return what was shown since the last call until it holds the text, without colours and cursor movements."""
        while wanted not in (text := self.shown[self.n_read :]):
            if not select.select([self.file], [], [], 60)[0]:
                pytest.fail(f"{wanted!r} was not shown, but {text!r}")
            self.sent += os.read(self.file, 65536)
        self.n_read += text.index(wanted) + len(wanted)
        return text

    @property
    def shown(self) -> str:
        return ESCAPES.sub("", self.sent.decode(errors="replace").replace(READY, "<ready>"))

    def close(self) -> int:
        """Return the exit code."""
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


@pytest.fixture
def terminal(home: Path) -> Iterator[Terminal]:
    terminal = Terminal(home)
    terminal.read_until("Ctrl-D leaves.")
    terminal.read_until("<ready>")
    yield terminal
    os.close(terminal.file)


def test_the_prompt_answers_until_its_end(terminal: Terminal, home: Path):
    terminal.type("select 20 +\r")
    terminal.read_until("...>")
    terminal.type("22 as answer;\r")
    assert re.search(r"answer\s+─+\s+42", terminal.read_until("<ready>"))
    terminal.type("selec 1;\r")
    assert "syntax error" in terminal.read_until("<ready>")
    terminal.type(";\r")
    terminal.read_until("<ready>")
    terminal.type("rejected_images;\r")
    assert "No rows." in terminal.read_until("<ready>")
    terminal.type("rejected_images x=1;\r")
    assert "has no parameter x" in terminal.read_until("<ready>")
    terminal.type("\x04")
    assert terminal.close() == 0
    assert "+22 as answer;" in (home / "sql_history").read_text()


def test_the_prompt_completes_with_meanings(terminal: Terminal):
    terminal.type("select subset || image_id from bench")
    terminal.read_until("One image of a subset")
    terminal.type("\t where image_id = 'b';\r")
    assert "sb" in terminal.read_until("<ready>").split()
    terminal.type("\x04")
    assert terminal.close() == 0


def test_ctrl_c_clears_the_line_and_ends_a_query(terminal: Terminal):
    terminal.type("select 'half of a\x03")
    terminal.read_until("<ready>")
    terminal.type("select count(*) from range(10000000) a, range(10000000) b;\r")
    while "^C" not in terminal.shown:  # while the prompt still has the terminal, the key only clears the next line
        terminal.type("\x03")
        time.sleep(0.2)
        terminal.sent += os.read(terminal.file, 65536)
    terminal.read_until("<ready>")
    terminal.type("select 6 * 7 as answer;\r")
    terminal.read_until("42 ")
    terminal.read_until("<ready>")
    terminal.type("\x04")
    assert terminal.close() == 0
