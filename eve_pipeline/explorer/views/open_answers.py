"""Open answers: what do models say in their own words, and how much of it can be read as a label?"""

import polars as pl
import streamlit as st

from eve_pipeline.explorer import charts, links, published, scope
from eve_pipeline.explorer.showing import Column, frame, nothing, plain, table

CURVES = "select * from marts.open_vocabulary order by subset, prompt, model, threshold"
WORDS = """
    select model, left(word, 200) as word, n, share, nearest_label, similarity, is_generic from marts.unmatched_words
    where subset = $subset and prompt = $prompt and ($model::varchar is null or model = $model)
    order by n desc, unmatched_words.word limit 1000
"""
COLUMNS = [
    Column("model", "Model"),
    Column("fine_grained_rate", "Read as a label", "bar"),
    Column("weighted_f1", "Weighted F1", "number"),
    Column("n_matched_by_string", "By letters", "number", is_minor=True),
    Column("n_matched_by_embedding", "By meaning", "number", is_minor=True),
    Column("n_generic", "Generic", "number", is_minor=True),
    Column("n_unmatched", "Not read", "number"),
    Column("n_items", "Images", "number"),
]


def page() -> None:
    """Show how open answers are read at every threshold, and what was said."""
    scope.title("Open answers", "What do models say in their own words, and how much of it can be read as a label?")
    curves = published.rows(CURVES)
    if curves.is_empty():
        nothing("No open prompt was asked.", "`eve run --prompt no_labels` asks without a list of labels.")
        return
    with st.container(horizontal=True):
        subset = links.choose("Images", curves["subset"].unique().sort().to_list(), "subset")
        prompt = links.choose("Prompt", curves.filter(subset=subset)["prompt"].unique().sort().to_list(), "prompt")
        rows = curves.filter(subset=subset, prompt=prompt)
        levels = [f"{value:.2f}" for value in rows["threshold"].unique().sort()]
        default = [f"{value:.2f}" for value in rows.filter("is_default")["threshold"].unique()]
        threshold = links.choose("Similarity from which a word counts as its nearest label", levels, "threshold", *default[:1])
    at = rows.filter((pl.col("threshold") - float(threshold)).abs() < WITHIN)
    table(at, COLUMNS, f"Answers to {prompt} on {subset}, read at a similarity of {threshold} or more.")
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("At every threshold")
        for column, title in (("fine_grained_rate", "read as a label"), ("weighted_f1", "weighted F1")):
            charts.show(charts.curve(rows, column, title), f"{title} by threshold; the table above has the numbers at each threshold.")
    with right:
        st.subheader("Words that are no label")
        model = links.choose("Model", ["all", *rows["model"].unique().sort()], "of")
        words = published.rows(WORDS, subset=subset, prompt=prompt, model=None if model == "all" else model)
        frame(words.with_columns(pl.col("word").map_elements(plain, pl.String)), "words")


WITHIN = 1e-9


if __name__ == "__main__":
    page()
