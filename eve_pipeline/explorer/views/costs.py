"""Costs: what did the answers cost in money, tokens and time?"""

import polars as pl
import streamlit as st

from eve_pipeline.explorer import charts, published, scope
from eve_pipeline.explorer.showing import Column, frame, nothing, table
from eve_pipeline.report import figures

CELLS = "select * exclude (dataset) from marts.cost_and_latency where subset = $subset order by model, prompt"
COLUMNS = [
    Column("model", "Model"),
    Column("cost_usd", "USD", "number"),
    Column("usd_per_correct", "USD a right answer", "number", is_minor=True),
    Column("n_responses", "Responses", "number"),
    Column("n_errors", "Errors", "number"),
    Column("n_retries", "Retries", "number", is_minor=True),
    Column("prompt_tokens", "Prompt tokens", "number", is_minor=True),
    Column("completion_tokens", "Reply tokens", "number", is_minor=True),
    Column("p50_s", "Median latency, s", "number"),
    Column("p90_s", "90th percentile, s", "number", is_minor=True),
]


def page() -> None:
    """Show costs and latency of each model, and of each of its cells."""
    scope.title("Costs", "What did the answers cost in money, tokens and time?")
    subset = scope.choose_subset()
    cells = published.rows(CELLS, subset=subset)
    if cells.is_empty():
        nothing("No response is stored.", "`eve run` asks; `eve plan` says before what it would cost.")
        return
    sums = ("n_responses", "n_errors", "n_retries", "prompt_tokens", "completion_tokens", "cost_usd")
    models = cells.group_by("model", maintain_order=True).agg(
        *(pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name) for name in sums),
        usd_per_correct=pl.col("usd_per_correct").mean(),
        p50_s=pl.col("latency_p50_ms").mean() / 1000,
        p90_s=pl.col("latency_p90_ms").mean() / 1000,
    )
    table(models, COLUMNS, f"Responses to current requests on {subset}, all prompts; latencies are means over the prompts' percentiles.")
    if models["cost_usd"].is_null().all():
        st.text("No model entry has prices, so that nothing is known of USD.")
    timed = models.filter(pl.col("p50_s").is_not_null())
    if timed.height:
        st.subheader("Latency")
        charts.show(figures.latency(timed, timed), "Median latency and 90th percentile of each model, as in the table above.")
    st.subheader("Each cell")
    frame(cells, "cells")


if __name__ == "__main__":
    page()
