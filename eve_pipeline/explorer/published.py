"""What the app reads: the published database of the moment, read-only, and never a table as a whole."""

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import streamlit as st

from eve_pipeline.errors import EveError
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse

SECONDS_BETWEEN_LOOKS = 5
MEMORY, KEPT_RESULTS = "2GB", 512


def database() -> Path:
    """Return the file of the newest publication.

    Raises:
        EveError: nothing is published.
    """
    link = Warehouse.of(Settings()).database
    if not link.exists():
        raise EveError("Nothing is published yet", "Run `eve demo` or `eve publish`; this page looks again by itself.")
    return link.resolve()


def rows(sql: str, **parameters: object) -> pl.DataFrame:
    """Return the rows of one of the app's own queries, its `$name` parameters bound; asked once for each publication."""
    try:
        return _rows(str(database()), sql, parameters)
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise EveError("The published database lacks what this page shows: an older version published it", "Run `eve publish`.") from error
    except duckdb.IOException as error:
        raise EveError("The published database cannot be read", "Run `eve publish`.") from error


def value(sql: str, **parameters: object) -> Any:  # noqa: ANN401 - any cell
    """Return the first cell that a query of the app finds; it may be large, and is not kept."""
    return _ask(str(database()), sql, parameters).item(0, 0)


@st.cache_data(max_entries=KEPT_RESULTS, show_spinner=False)
def _rows(file: str, sql: str, parameters: dict[str, object]) -> pl.DataFrame:
    return _ask(file, sql, parameters)


def _ask(file: str, sql: str, parameters: dict[str, object]) -> pl.DataFrame:
    with _connection(file).cursor() as cursor:
        found: pl.DataFrame = cursor.sql(sql, params=parameters).pl()
    return found


@st.cache_resource(max_entries=2, show_spinner=False)
def _connection(file: str) -> duckdb.DuckDBPyConnection:
    """Open a publication; the one before stays open for the pages that are still reading it."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY,
        "temp_directory": "",
        "python_enable_replacements": False,
    }
    return duckdb.connect(file, read_only=True, config=config)


@st.fragment(run_every=SECONDS_BETWEEN_LOOKS)
def follow() -> None:
    """Show the page anew when there is a new publication, and say so."""
    link = Warehouse.of(Settings()).database
    now = str(link.resolve()) if link.exists() else ""
    before = st.session_state.setdefault("publication", now)
    if now != before:
        st.session_state["publication"] = now
        st.session_state["has_news"] = True
        st.rerun(scope="app")
    if st.session_state.pop("has_news", False):
        st.toast("New results were published: this page shows them.")
