"""Model: what does one model recognise, and what does it take for what?"""

import polars as pl
import streamlit as st

from eve_pipeline.explorer import charts, links, pictures, published, scope
from eve_pipeline.explorer.showing import Column, nothing, table
from eve_pipeline.report import figures
from eve_pipeline.report.image_picks import CELL

SCORES = "select * from marts.weighted_f1 where model = $model and subset = $subset and prompt = $prompt and scoring = $scoring"
CLASSES = """
    select * from marts.per_class_f1 where model = $model and subset = $subset and prompt = $prompt and scoring = $scoring
    order by support desc, label
"""
CONFUSION = """
    select truth, predicted, n, share_of_truth, is_complete from marts.confusion
    where model = $model and subset = $subset and prompt = $prompt order by truth, predicted
"""
CATEGORIES = """
    select model, category, n, share, is_complete from marts.error_categories
    where model = $model and subset = $subset and prompt = $prompt and scheme = $scheme and share is not null order by category
"""
BIAS = """
    select sentiment_bias, ci_low, ci_high, mcnemar_p from marts.sentiment_bias
    where model = $model and subset = $subset and prompt = $prompt and scheme = $scheme
"""
COLUMNS = [
    Column("label", "Emotion"),
    Column("f1", "F1", "bar"),
    Column("precision", "Precision", "bar"),
    Column("recall", "Recall", "bar"),
    Column("support", "Images", "number"),
    Column("n_predicted", "Answered", "number", is_minor=True),
]


def page() -> None:
    """Show one model's scores, classes, confusions and the images behind them."""
    scope.title("Model", "What does one model recognise, and what does it take for what?")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        subset = scope.choose_subset()
        model = scope.choose_model(subset)
        prompt = scope.choose_prompt(subset, model)
        scoring = scope.choose_scoring()
        scheme = scope.choose_scheme()
    cell = {"model": model, "subset": subset, "prompt": prompt}
    show_scores(cell, scoring, scheme)
    classes = published.rows(CLASSES, **cell, scoring=scoring)
    if classes.is_empty():
        nothing("No answer about an image with a label.", "Choose another prompt, or other images.")
        return
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("By emotion")
        table(classes, COLUMNS, f"F1, precision and recall of each emotion, scoring {scoring}.")
        show_categories(cell, scheme)
    with right:
        st.subheader("What is taken for what")
        truth, predicted = show_confusion(cell)
    show_images(cell, truth, predicted)


def show_scores(cell: dict[str, str], scoring: str, scheme: str) -> None:
    """Show the main figures in a row."""
    score = published.rows(SCORES, **cell, scoring=scoring).to_dicts()
    bias = published.rows(BIAS, **cell, scheme=scheme).to_dicts()
    with st.container(horizontal=True):
        for row in score:
            mark = "" if row["is_complete"] else " †"
            figure(f"Weighted F1{mark}", number(row["weighted_f1"]), interval(row))
            figure("Macro F1", number(row["macro_f1"]))
            figure("Accuracy", number(row["accuracy"]))
            figure("Answered", f"{row['n_answered']:,} of {row['n_items']:,}")
        for row in bias:
            figure("Sentiment bias", number(row["sentiment_bias"], "+.3f"), interval(row), "Above 0: too bright. Below 0: too dark.")
    if any(not row["is_complete"] for row in score):
        st.text("† incomplete: some items have an error or no response yet, so that the figures may still change.")


def figure(name: str, value: str, spread: str | None = None, meaning: str | None = None) -> None:
    """Show one figure with its interval."""
    st.metric(name, value, spread, delta_color="off", delta_arrow="off", width="content", help=meaning)


def number(value: float | None, form: str = ".3f") -> str:
    """Return a figure as text."""
    return "-" if value is None else format(value, form)


def interval(row: dict[str, float | None]) -> str | None:
    """Return the 95 % interval of a row as text."""
    return None if row["ci_low"] is None else f"{row['ci_low']:.3f} to {row['ci_high']:.3f}"


def show_categories(cell: dict[str, str], scheme: str) -> None:
    """Show how wrong the wrong answers are."""
    wrong = published.rows(CATEGORIES, **cell, scheme=scheme)
    if wrong.is_empty():
        return
    st.subheader("How wrong the errors are")
    st.text("I: wrong sentiment. II: right sentiment, wrong arousal. III: both right, wrong emotion.")
    words = ", ".join(f"{row['category']}: {row['n']} ({row['share']:.0%})" for row in wrong.to_dicts())
    charts.show(figures.error_categories(wrong, wrong), f"Error categories. {words}")
    st.text(words)


def show_confusion(cell: dict[str, str]) -> tuple[str, str]:
    """Show the confusion matrix, and return the truth and the answer of the cell that is looked at."""
    cells = published.rows(CONFUSION, **cell).with_columns(pl.col("predicted").replace("__none__", charts.NO_ANSWER))
    truths, said = cells["truth"].unique().sort().to_list(), cells["predicted"].unique().sort().to_list()
    worst = cells.filter(pl.col("truth") != pl.col("predicted")).sort("n", "truth", descending=[True, False]).head(1)
    links.settle("truth", truths, worst["truth"].item() if worst.height else truths[0])
    links.settle("said", said, worst["predicted"].item() if worst.height else said[0])
    st.text("Percent of each truth's images. Click a cell, or choose it below, to see its images.")
    st.altair_chart(
        charts.confusion(cells, st.session_state["truth"], st.session_state["said"]), key="matrix", on_select=take_clicked, width="stretch",
        alt="Confusion matrix; its largest confusions are listed below, and each cell can be chosen below it.",
    )  # fmt: skip
    with st.container(horizontal=True):
        truth = links.choose("Truth", truths, "truth")
        predicted = links.choose("Answered", said, "said")
    return truth, predicted


def take_clicked() -> None:
    """Make the clicked cell the chosen one."""
    for cell in st.session_state["matrix"]["selection"].get("cell", [])[:1]:
        st.session_state["truth"], st.session_state["said"] = cell["truth"], cell["predicted"]


def show_images(cell: dict[str, str], truth: str, predicted: str) -> None:
    """Show the images of a cell of the matrix."""
    asked = cell | {"truth": truth, "predicted": predicted.replace(charts.NO_ANSWER, "__none__")}
    first = published.rows(CELL, **asked, limit=pictures.A_PAGE, offset=0)
    n = int(first["n"][0]) if first.height else 0
    cells = published.rows(CONFUSION, **cell).filter(truth=truth, predicted=asked["predicted"])
    st.subheader("Images of the chosen cell")
    st.text(f"{cells['n'].sum():,} answers about {n:,} images of truth {truth!r} answered {predicted!r}.")
    if n:
        pictures.grid(
            lambda limit, offset: published.rows(CELL, **asked, limit=limit, offset=offset),
            n,
            f"{truth} answered {predicted}: {cell['model']}, {cell['subset']}, prompt {cell['prompt']}",
        )


if __name__ == "__main__":
    page()
