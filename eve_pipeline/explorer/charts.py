"""Charts beside the report's, which the app shows as they are; every one has its numbers in words or a table beside it."""

from typing import cast

import altair as alt
import polars as pl
import streamlit as st

from eve_pipeline.report.style import FAINT, INK, ORANGE, PAPER, SERIES, SHAPES

Chart = alt.Chart | alt.LayerChart | alt.FacetChart
NO_ANSWER = "no answer"
DARK = 0.55


def confusion(cells: pl.DataFrame, truth: str, said: str) -> Chart:
    """Return a confusion matrix whose cells can be clicked: the share of each truth's items that was answered with each label.

    The chosen cell, of `truth` and `said`, has a frame.
    """
    order = sorted(set(cells["predicted"]) - {NO_ANSWER}) + ([NO_ANSWER] if NO_ANSWER in set(cells["predicted"]) else [])
    rows = cells.with_columns(
        percent=(100 * pl.col("share_of_truth")).round().cast(pl.Int64),
        is_chosen=(pl.col("truth") == truth) & (pl.col("predicted") == said),
    )
    clicked = alt.selection_point(name="cell", fields=["truth", "predicted"], on="click", clear=False)
    side = alt.Axis(ticks=False, domain=False, grid=False, labelLimit=110)
    base = alt.Chart(rows).encode(
        alt.X(
            "predicted:N",
            title="answered",
            sort=order,
            axis=alt.Axis(labelAngle=-50, ticks=False, domain=False, grid=False, orient="top", labelLimit=110),
        ),
        alt.Y("truth:N", title="truth", axis=side),
        tooltip=[
            alt.Tooltip("truth:N"),
            alt.Tooltip("predicted:N", title="answered"),
            alt.Tooltip("n:Q"),
            alt.Tooltip("percent:Q", title="% of truth"),
        ],
    )
    colour = alt.Color("share_of_truth:Q", scale=alt.Scale(range=["#f4f6f8", "#0072b2"], domain=[0, 1]), legend=None)
    squares = base.mark_rect(strokeWidth=3, cursor="pointer").encode(
        color=colour, stroke=alt.condition("datum.is_chosen", alt.value(ORANGE), alt.value("transparent"))
    )
    ink = alt.condition(f"datum.share_of_truth > {DARK}", alt.value(PAPER), alt.value(INK))
    numbers = base.mark_text(fontSize=11).encode(text="percent:Q", color=ink)
    return alt.layer(squares.add_params(clicked), numbers).properties(height=alt.Step(34))


def curve(rows: pl.DataFrame, column: str, title: str) -> Chart:
    """Return a figure of each model by threshold of similarity; the dashed line is the default."""
    models = rows["model"].unique().sort().to_list()
    x = alt.X("threshold:Q", title="threshold of similarity", scale=alt.Scale(domain=[0.28, 0.92], nice=False), axis=alt.Axis(tickCount=6))
    y = alt.Y(f"{column}:Q", title=title, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=5, format=".2f"))
    by_model = alt.Color(
        "model:N", title=None, scale=alt.Scale(domain=models, range=SERIES[: len(models)]), legend=alt.Legend(orient="top")
    )
    shape = alt.Shape("model:N", title=None, scale=alt.Scale(domain=models, range=SHAPES[: len(models)]))
    base = alt.Chart(rows).encode(x, y, by_model)
    default = alt.Chart(rows.filter("is_default").head(1)).mark_rule(color=FAINT, strokeDash=[4, 3]).encode(x)
    return alt.layer(default, base.mark_line(strokeWidth=1.5), base.mark_point(filled=True, size=55, opacity=1).encode(shape)).properties(
        height=190
    )


def show(chart: alt.TopLevelMixin, alternative: str) -> None:
    """Show a chart as wide as its place, with what it shows in words for those who do not see it."""
    st.altair_chart(cast("Chart", chart), alt=alternative, width="stretch")
