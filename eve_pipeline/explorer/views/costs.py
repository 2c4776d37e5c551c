"""Costs: what did the answers cost in money, tokens and time?"""

import polars as pl
import streamlit as st

from eve_pipeline.explorer import charts, published, scope
from eve_pipeline.explorer.showing import Column, frame, nothing, table
from eve_pipeline.report import figures

MODELS = """
    select
        model, sum(n_responses)::bigint as n_responses, sum(n_errors)::bigint as n_errors, sum(n_retries)::bigint as n_retries,
        sum(prompt_tokens)::bigint as prompt_tokens, sum(completion_tokens)::bigint as completion_tokens, sum(cost_usd) as cost_usd,
        sum(cost_usd) / nullif(sum(n_correct) filter (where cost_usd is not null), 0) as usd_per_correct,
        avg(latency_p50_ms) / 1000 as p50_s, avg(latency_p90_ms) / 1000 as p90_s
    from marts.cost_and_latency where subset = $subset group by model order by model
"""
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
    models = published.rows(MODELS, subset=subset)
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
