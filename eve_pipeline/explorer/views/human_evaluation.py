"""Human evaluation: when a model contradicts the dataset, whom do people side with?"""

from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from eve_pipeline.explorer import charts, links, published, scope
from eve_pipeline.explorer.showing import Column, nothing, plain, table
from eve_pipeline.report.style import BLUE, GRID, INK, ORANGE, PAPER, SKY, YELLOW

STUDIES = "select distinct study from marts.human_evaluation order by study"
SHARES = "select * from marts.human_evaluation where study = $study"
AGREEMENT = "select * from marts.human_agreement where study = $study order by measure desc"
QUALITY = "select * from marts.annotator_quality where study = $study order by annotator"
BOARD = "select * from marts.accepted_leaderboard where study = $study order by subset, accuracy_estimated desc"
REMARKS = """
    select dataset, image_id, truth, answer, verdict, annotator, comment
    from staging.stg_annotations
    where study = $study and comment is not null and not is_control order by created_at desc limit 20
"""
VERDICTS = {
    "model": (BLUE, "the model's answer"),
    "both": (SKY, "both"),
    "dataset": (ORANGE, "the dataset's label"),
    "neither": (YELLOW, "neither"),
    "unsure": (GRID, "unsure"),
}
CATEGORIES = {"I": "I, wrong sentiment", "II": "II, wrong arousal", "III": "III, wrong class alone", "undetermined": "undetermined"}
NAMES = {"error_category": "{}", "model": "{}", "dataset": "on {}"}
NAMES_A_NUMBER = 0.08
SHARE_COLUMNS = [
    Column("what", "Errors"),
    Column("share", "Model accepted", "number"),
    Column("share", "95 % interval", "interval"),
    *(Column(verdict, title.capitalize(), "percent", is_minor=True) for verdict, (_, title) in VERDICTS.items()),
    Column("n_images", "Images", "number"),
    Column("n_annotations", "Judgements", "number", is_minor=True),
]
BOARD_COLUMNS = [
    Column("model", "Model"),
    Column("subset", "Images"),
    Column("accuracy", "Plain", "number"),
    Column("accuracy_estimated", "If people decide", "number"),
    Column("accuracy_estimated", "95 % interval", "interval"),
    Column("accuracy_corrected", "Of judged errors alone", "number", is_minor=True),
    Column("weighted_f1", "F1, plain", "number", is_minor=True),
    Column("weighted_f1_corrected", "F1, of judged alone", "number", is_minor=True),
    Column("judged", "Errors judged", is_minor=True),
]
AGREEMENT_COLUMNS = [
    Column("measure", "About"),
    Column("observed_agreement", "Pairs that agree", "percent", is_minor=True),
    Column("krippendorff_alpha", "Krippendorff's alpha", "number"),
    Column("fleiss_kappa", "Fleiss' kappa", "number"),
    Column("n_annotators", "People", "number", is_minor=True),
    Column("n_tasks", "Questions", "number"),
]
QUALITY_COLUMNS = [
    Column("annotator", "Annotator"),
    Column("n", "Answered", "number"),
    Column("control_accuracy", "Controls right", "percent"),
    Column("control_accuracy", "95 % interval", "interval"),
    Column("n_controls", "Control items", "number", is_minor=True),
    Column("share_unsure", "Unsure", "percent", is_minor=True),
    Column("share_first", "Chose the first", "percent", is_minor=True),
    Column("median_seconds", "Median s", "number", is_minor=True),
]
REMARK_COLUMNS = [
    Column("comment", "Remark"),
    Column("truth", "Dataset"),
    Column("answer", "Models"),
    Column("verdict", "Chosen"),
    Column("annotator", "By", is_minor=True),
]


def page() -> None:
    """Show the results of one study."""
    scope.title("Human evaluation", "When a model contradicts the dataset, whom do people side with who do not know which is which?")
    known = published.rows(STUDIES)["study"].to_list()
    if not known:
        nothing("No judgement is published yet.", "Draw a study (eve annotate sample), answer it on the page Annotate, then: eve publish")
        return
    study = links.choose("Study", known, "study")
    shares = published.rows(SHARES, study=study)
    show_shares(shares)
    show_board(published.rows(BOARD, study=study))
    show_agreement(published.rows(AGREEMENT, study=study))
    show_quality(published.rows(QUALITY, study=study))
    show_remarks(published.rows(REMARKS, study=study))


def show_shares(shares: pl.DataFrame) -> None:
    """Show whom people side with: over all, by error category, by model and by dataset."""
    slices = pl.concat([_slice(shares, None), *(_slice(shares, column) for column in ("error_category", "model", "dataset"))])
    st.text(in_words(slices.row(0, named=True)))
    charts.show(
        chart(slices),
        f"Shares of judgements by error category, model and dataset; the table has the numbers. {in_words(slices.row(0, named=True))}",
    )
    table(
        slices.with_columns(pl.col("what").map_elements(plain, pl.String)),
        SHARE_COLUMNS,
        "Share of judgements, averaged over images. Accepted: the model's answer was chosen, alone or beside the dataset's label.",
    )


def _slice(shares: pl.DataFrame, column: str | None) -> pl.DataFrame:
    """Return a row for each value of a column, or one for all, with the share of each verdict and that of accepted answers."""
    others = [name for name in ("error_category", "model", "dataset") if name != column]
    rows = shares.filter(pl.all_horizontal(pl.col(others).is_null()), pl.col(column).is_not_null() if column else pl.lit(value=True))
    named = rows.with_columns(what=pl.format(NAMES[column], pl.col(column).replace(CATEGORIES)) if column else pl.lit("all errors"))
    wide = named.pivot("verdict", index="what", values="share").select("what", *VERDICTS)
    accepted = named.filter(verdict="model_accepted").select("what", "share", "ci_low", "ci_high", "n_images", "n_annotations")
    return wide.join(accepted, on="what").sort("what")


def in_words(all_errors: dict[str, Any]) -> str:
    """Return the main result as a sentence."""
    interval = "" if all_errors["ci_low"] is None else f" (95 % interval {all_errors['ci_low']:.0%} to {all_errors['ci_high']:.0%})"
    return (
        f"In {all_errors['share']:.0%} of {all_errors['n_annotations']:,} judgements about {all_errors['n_images']:,} images the model's "
        f"answer is accepted{interval}: {all_errors['model']:.0%} prefer it, {all_errors['both']:.0%} accept both; "
        f"{all_errors['dataset']:.0%} prefer the dataset's label."
    )


def chart(slices: pl.DataFrame) -> charts.Chart:
    """Return a bar for each row, divided by what was chosen."""
    order = list(VERDICTS)
    titles, colours = [title for _, title in VERDICTS.values()], [colour for colour, _ in VERDICTS.values()]
    long = slices.select("what", *order).unpivot(order, index="what", variable_name="verdict", value_name="share")
    parts = long.with_columns(
        verdict=pl.col("verdict").replace(dict(zip(order, titles, strict=True))),
        is_dark=pl.col("verdict").is_in(["model", "dataset"]),
        number=pl.when(pl.col("share") >= NAMES_A_NUMBER)
        .then((100 * pl.col("share")).round().cast(pl.Int64).cast(pl.String))
        .otherwise(pl.lit("")),
        end=pl.col("share").cum_sum().over("what"),
    ).with_columns(start=pl.col("end") - pl.col("share"), middle=pl.col("end") - pl.col("share") / 2)
    scale = alt.Scale(domain=[0, 1], nice=False)
    colour = alt.Color("verdict:N", title=None, scale=alt.Scale(domain=titles, range=colours), legend=alt.Legend(orient="top", columns=2))
    axis = alt.Axis(ticks=False, domain=False, grid=False, labelLimit=150)
    base = alt.Chart(parts).encode(alt.Y("what:N", title=None, sort=slices["what"].to_list(), axis=axis))
    bars = base.mark_bar(stroke=PAPER, strokeWidth=1).encode(
        alt.X("start:Q", scale=scale, title="share of judgements", axis=alt.Axis(format=".0%", tickCount=5)), x2="end:Q", color=colour,
        tooltip=[alt.Tooltip("what:N", title="errors"), alt.Tooltip("verdict:N", title="chosen"), alt.Tooltip("share:Q", format=".1%")],
    )  # fmt: skip
    ink = alt.condition("datum.is_dark", alt.value(PAPER), alt.value(INK))
    numbers = base.mark_text(fontSize=11).encode(alt.X("middle:Q", scale=scale), text="number:N", color=ink)
    return alt.layer(bars, numbers).properties(height=alt.Step(28))


def show_board(board: pl.DataFrame) -> None:
    """Show the leaderboard that counts accepted answers as right, beside the plain one."""
    if board.is_empty():
        return
    st.subheader("If people decide what is right", anchor=False)
    st.text(
        "An error counts as right where more than half of those who were not unsure accept it. The estimate takes the judged errors of a "
        "model for a sample of all its errors; what is called of judged errors alone leaves the others wrong."
    )
    table(
        board.with_columns(judged=pl.format("{} of {}, {} accepted", "n_annotated", "n_errors", "n_accepted")),
        BOARD_COLUMNS,
        "Accuracy: plain by the dataset's labels, and as people would have it; strict scoring.",
    )


def show_agreement(agreement: pl.DataFrame) -> None:
    """Show how far annotators agree."""
    st.subheader("Do people agree with each other?", anchor=False)
    if not agreement["n_tasks"].sum():
        nothing("No question was answered by two people yet.", "Agreement needs a second annotator.")
        return
    about = {"verdict": "the choice", "accepted": "acceptable or not"}
    table(
        agreement.with_columns(pl.col("measure").replace(about)),
        AGREEMENT_COLUMNS,
        "Agreement about errors that two or more judged: 1 is full agreement, 0 what chance makes.",
    )


def show_quality(quality: pl.DataFrame) -> None:
    """Show how carefully each annotator looked."""
    st.subheader("How careful are they?", anchor=False)
    table(quality, QUALITY_COLUMNS, "Control items: all models agree with the dataset, and the other word contradicts it.")


def show_remarks(remarks: pl.DataFrame) -> None:
    """Show the latest remarks."""
    if remarks.is_empty():
        return
    st.subheader("What they remarked", anchor=False)
    text = pl.col("comment", "truth", "answer").map_elements(plain, pl.String)
    table(remarks.with_columns(text), REMARK_COLUMNS, f"The latest {remarks.height} remarks about errors.")


if __name__ == "__main__":
    page()
