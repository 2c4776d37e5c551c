"""Ask the published database: one SELECT, read-only, within limits of time, memory and rows."""

import json
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl
import yaml
from pydantic import BaseModel, ConfigDict

from eve_pipeline.errors import EveError
from eve_pipeline.registry import pick
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.limits import ALL_ROWS, DEFAULT_LIMITS, REFUSED, Limits

PARAMETER = re.compile(r"^-- \$(\w+) = (.+)$", re.MULTILINE)


class NamedQuery(BaseModel):
    """A query of the folder `sql`: the question it answers, its text, and the defaults of its `$parameters`."""

    model_config = ConfigDict(frozen=True)

    name: str
    question: str
    sql: str
    parameters: dict[str, str | int | float]

    def with_values(self, values: Mapping[str, str]) -> Mapping[str, object]:
        """Return the values of all parameters, of the type of their defaults, which stand where no other value is given.

        Raises:
            EveError: a parameter is unknown, or a number is not one.
        """
        if unknown := sorted(values.keys() - self.parameters):
            known = ", ".join(f"{name} (by default {default})" for name, default in self.parameters.items())
            raise EveError(f"The query {self.name!r} has no parameter {', '.join(unknown)}", f"It has {known or 'none'}.")
        return self.parameters | {name: self._typed(name, value) for name, value in values.items()}

    def _typed(self, name: str, value: str) -> str | int | float:
        default = self.parameters[name]
        try:
            return type(default)(value)
        except ValueError as error:
            raise EveError(f"{name} of the query {self.name!r} is a number, not {value!r}", f"By default it is {default}.") from error


def named_queries(settings: Settings) -> dict[str, NamedQuery]:
    """Return the named queries; a file starts with `-- <question>`, then a line `-- $name = default` for each parameter."""
    return {file.stem: _named_query(file) for file in sorted(settings.named_queries.glob("*.sql"))}


def named_query(name: str, settings: Settings) -> NamedQuery:
    """Return one named query; `EveError` lists the known ones."""
    return pick(named_queries(settings), name, "query")


def _named_query(file: Path) -> NamedQuery:
    sql = file.read_text(encoding="utf-8")
    question = sql.partition("\n")[0].removeprefix("--").strip()
    defaults = {name: yaml.safe_load(default) for name, default in PARAMETER.findall(sql)}
    return NamedQuery(name=file.stem, question=question, sql=sql, parameters=defaults)


class Answer(NamedTuple):
    """The rows of a result, and whether there are more of them than its limit allows."""

    rows: pl.DataFrame
    is_cut: bool


def run_query(database: Path, sql: str, parameters: Mapping[str, object] | None = None, limits: Limits = ALL_ROWS) -> pl.DataFrame:
    """Return all rows of one SELECT, as `ask` does; `EveError` also where there are more than `limits.rows`."""
    rows, is_cut = ask(database, sql, parameters, limits)
    if is_cut:
        raise EveError(f"The result has more than {limits.rows:,} rows", "Add a LIMIT to the query, or pass Limits(rows=None).")
    return rows


def ask(database: Path, sql: str, parameters: Mapping[str, object] | None = None, limits: Limits = DEFAULT_LIMITS) -> Answer:
    """Return the first rows of one SELECT on a published database, its `$name` parameters bound.

    A process of its own runs it, which ends with the answer or at the limit of time; it always opens the newest publication.

    Raises:
        EveError: there is no database, the text is not exactly one SELECT that only reads tables, it exceeds the limit of time
            or memory, or DuckDB refuses it.
    """
    if not database.exists():
        raise EveError(f"There is no published database at {database}", "Run `eve demo` or `eve publish` first.")
    rows = pl.read_ipc_stream(_run(database.resolve(), sql, dict(parameters or {}), limits))
    if limits.rows is None or rows.height <= limits.rows:
        return Answer(rows, is_cut=False)
    return Answer(rows.head(limits.rows), is_cut=True)


def _run(database: Path, sql: str, parameters: Mapping[str, object], limits: Limits) -> bytes:
    command = [sys.executable, "-P", "-m", "eve_pipeline.warehouse.confined"]
    question = pickle.dumps((database, sql, parameters, limits))
    try:
        done = subprocess.run(command, input=question, capture_output=True, timeout=limits.seconds, check=False)
    except subprocess.TimeoutExpired as error:
        more = f"`eve sql --max-seconds {10 * limits.seconds:g}`, or Limits(seconds={10 * limits.seconds:g}) in Python"
        raise EveError(f"The query took more than {limits.seconds:g} seconds", f"Ask for less at once, or allow more: {more}.") from error
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise EveError(f"The query ended the process that ran it ({name})", "Most likely it took too much memory: ask for less at once.")
    if done.returncode == REFUSED:
        raise EveError(*json.loads(done.stderr.splitlines()[-1]))
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace"))
    return done.stdout
