"""SQL: ask the published database a question of your own."""

import io
import json

import altair as alt
import polars as pl
import polars.selectors as cs
import streamlit as st

from eve_pipeline.errors import EveError
from eve_pipeline.explorer import charts, links, published, scope
from eve_pipeline.explorer.showing import nothing, plain
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.dictionary import Table, tables
from eve_pipeline.warehouse.limits import Limits
from eve_pipeline.warehouse.query import Answer, ask, named_queries

LIMITS = Limits(seconds=30, memory_gb=1, rows=10_000)
OWN = "a question of my own"
EXAMPLE = """select model, prompt, weighted_f1, ci_low, ci_high
from marts.weighted_f1
where subset = 'sample' and scoring = 'strict'
order by weighted_f1 desc"""
MARKS = ("points", "bars", "line")
LONGEST_CELL = 2_000


def page() -> None:
    """Show an editor, the data dictionary beside it, and the answer."""
    scope.title("SQL", "Ask the published database a question of your own: one SELECT, which cannot change anything.")
    left, right = st.columns([3, 2], gap="large")
    with right:
        show_dictionary()
    with left:
        sql = edit()
        if sql.strip():
            show_answer(sql)


def edit() -> str:
    """Let write a query, or start from a named one."""
    known = named_queries(Settings())
    links.settle("start", [OWN, *known], OWN)
    start = st.selectbox("Start from", [OWN, *known], index=None, key="start", bind="query-params", on_change=take_named)
    if start and start != OWN:
        st.text(known[start].question)
    if "sql" not in st.session_state and "sql" not in st.query_params:
        st.session_state["sql"] = EXAMPLE
    return st.text_area("Query", key="sql", bind="query-params", height=220, help="Ctrl+Enter asks it.") or ""


def take_named() -> None:
    """Put a named query in the editor, with its defaults in the place of its parameters."""
    query = named_queries(Settings()).get(st.session_state["start"])
    if query:
        text = "\n".join(line for line in query.sql.splitlines() if not line.startswith("--"))
        for name, value in query.parameters.items():
            text = text.replace(f"${name}", str(value) if isinstance(value, int | float) else "'" + value.replace("'", "''") + "'")
        st.session_state["sql"] = text


@st.cache_data(max_entries=4, ttl=600, show_spinner="Asking ...")
def answered(publication: str, sql: str) -> Answer:  # noqa: ARG001 - the publication is for the cache
    """Return the first rows of the answer, in a process of its own within limits."""
    return ask(published.database(), sql, limits=LIMITS)


def show_answer(sql: str) -> None:
    """Show the answer as a table and a chart, and let it be downloaded."""
    try:
        rows, is_cut = answered(str(published.database()), sql)
    except EveError as error:
        st.error("The query was refused.")
        st.code(plain(f"{error.problem}\n{error.hint}"), language=None, wrap_lines=True)
        return
    st.text(f"{'The first ' if is_cut else ''}{rows.height:,} row{'s'[: rows.height != 1]}.")
    flat = rows.with_columns(cs.nested().map_elements(_as_json, pl.String), cs.binary().bin.encode("hex"))
    flat = flat.with_columns(cs.string().str.slice(0, LONGEST_CELL))
    st.dataframe(flat, hide_index=True, column_config={name: st.column_config.Column(plain(name)) for name in flat.columns}, key="answer")
    with st.container(horizontal=True):
        st.download_button("Download CSV", lambda: _csv(rows), "answer.csv", "text/csv", on_click="ignore")
        st.download_button("Download Parquet", lambda: _parquet(rows), "answer.parquet", on_click="ignore")
    show_chart(flat)


def _as_json(value: object) -> str:
    return json.dumps(value.to_list() if isinstance(value, pl.Series) else value, default=str)


def _csv(rows: pl.DataFrame) -> bytes:
    return rows.with_columns(cs.nested().map_elements(_as_json, pl.String), cs.binary().bin.encode("hex")).write_csv().encode()


def _parquet(rows: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    rows.write_parquet(buffer)
    return buffer.getvalue()


def show_chart(rows: pl.DataFrame) -> None:
    """Draw two columns of the answer, the third as colour."""
    numbers = [name for name, dtype in rows.schema.items() if dtype.is_numeric()]
    if not numbers or rows.width < MIN_COLUMNS or rows.is_empty():
        return
    st.subheader("Chart")
    with st.container(horizontal=True):
        mark = links.switch("Draw as", MARKS, "mark")
        x = links.choose("Across", rows.columns, "x")
        y = links.choose("Up", numbers, "y", next((name for name in numbers if name != x), None))
        colour = links.choose("Colour", ["none", *rows.columns], "colour")
    columns = {"x": x, "y": y} | ({} if colour == "none" else {"colour": colour})
    drawn = rows.head(MOST_DRAWN).select(pl.col(name).alias(channel) for channel, name in columns.items())
    base = alt.Chart(drawn.with_columns(cs.by_dtype(pl.Time, pl.Null).cast(pl.String)))  # what altair does not know
    chart = {"points": base.mark_point(filled=True, size=60), "bars": base.mark_bar(), "line": base.mark_line()}[mark].encode(
        alt.X("x", title=plain(x), sort=None),
        alt.Y("y", title=plain(y)),
        *([alt.Color("colour", title=plain(colour))] if colour != "none" else []),
    )
    charts.show(chart.properties(height=340), f"{y} by {x}; the rows are in the table above.")


MIN_COLUMNS, MOST_DRAWN = 2, 2_000


@st.cache_data(max_entries=2, show_spinner=False)
def dictionary(publication: str) -> dict[str, Table]:  # noqa: ARG001 - as above
    """Return what every table and column means."""
    return tables(published.database())


def show_dictionary() -> None:
    """Show what the tables and their columns mean."""
    known = dictionary(str(published.database()))
    if not known:
        nothing("The database has no tables.", "`eve publish`.")
        return
    st.subheader("Data dictionary")
    chosen = known[links.choose("Table", list(known), "table")]
    st.text(chosen.meaning)
    st.dataframe(
        pl.DataFrame([column._asdict() for column in chosen.columns]), hide_index=True, key="dictionary", row_height=32, height=430
    )


if __name__ == "__main__":
    page()
