"""How text, tables and notes are shown. What comes from data is never Markdown or HTML here: names, replies and comments are anybody's."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
import streamlit as st
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from eve_pipeline.report.writing import shown

HERE = Path(__file__).parent
LONGEST = 2_000
CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160), *range(8234, 8239), *range(8294, 8298)], 65533)
"""Control characters, and those that turn the direction of text, become visible."""


class Column(NamedTuple):
    """A column of a table: where it is in the rows, its heading, how it is shown (text, number, percent, bar, interval or difference).

    A difference is an interval on an axis with 0 on it.
    """

    name: str
    title: str
    kind: str = "text"
    is_minor: bool = False
    """Left out where the screen is narrow."""


def table(rows: pl.DataFrame, columns: Sequence[Column], caption: str, mark: str | None = "is_complete") -> None:
    """Show a short table that screen readers can read; intervals are drawn on one axis, and incomplete rows are marked †.

    Args:
        rows: what to show; a column of kind interval has ci_low and ci_high beside it.
        columns: which columns, in order.
        caption: what the table shows.
        mark: the column that says whether a row is complete, None where nothing says so.
    """
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"shown": shown, "breakable": breakable}
    marked = mark is not None and mark in rows.columns
    st.html(
        environment.get_template("table.html.jinja").render(
            rows=rows.to_dicts(),
            columns=columns,
            caption=caption,
            axes={column.name: _axis(rows, column) for column in columns if column.kind in {"interval", "difference", "bar"}},
            mark=mark if marked else None,
            is_incomplete=marked and not rows[mark or ""].fill_null(value=True).all(),
        )
    )


def breakable(text: str) -> Markup:
    """Return a key as HTML that may be broken behind its underscores and hyphens."""
    return Markup("<wbr>").join(re.findall(r"[^_-]*[_-]*", text))


def _axis(rows: pl.DataFrame, column: Column) -> tuple[float, float]:
    """Return the ends of the axis that all rows of a column share."""
    if column.kind == "bar":
        return 0.0, 1.0
    values = [value for name in (column.name, "ci_low", "ci_high") for value in rows[name].drop_nulls().to_list()] or [0.0, 1.0]
    values += [0.0] if column.kind == "difference" else []
    margin = 0.04 * ((max(values) - min(values)) or 1)
    return min(values) - margin, max(values) + margin


def frame(rows: pl.DataFrame, key: str, height: int | None = None) -> None:
    """Show a long table to scroll, sort and search in; numbers have three digits."""
    digits = {name: st.column_config.NumberColumn(format="%.3f") for name, dtype in rows.schema.items() if dtype.is_float()}
    st.dataframe(rows, hide_index=True, column_config=digits, key=key, height=height or "auto")


def plain(text: str | None) -> str:
    """Return text with its control characters visible."""
    return (text or "").translate(CONTROLS)


def long_text(beginning: str, n_characters: int, whole: Callable[[], str], key: str) -> None:
    """Show text as it is; of a very long one the beginning, and all of it as a file, which is fetched when it is asked for."""
    st.code(plain(beginning[:LONGEST]) or " ", language=None, wrap_lines=True)
    if n_characters > LONGEST:
        st.text(f"The first {LONGEST:,} of {n_characters:,} characters.")
        st.download_button(
            "Download the whole text", lambda: whole().encode(errors="replace"), "text.txt", "text/plain", key=key, on_click="ignore"
        )


def nothing(problem: str, hint: str) -> None:
    """Say that there is nothing to show, and what to do."""
    with st.container(border=True):
        st.text(problem)
        st.text(hint)
