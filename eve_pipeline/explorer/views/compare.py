"""Compare: on the same images, what do two models, prompts or revisions do differently, and is it more than chance?"""

from typing import Any

import polars as pl
import streamlit as st

from eve_pipeline.explorer import links, pictures, published, scope
from eve_pipeline.explorer.showing import Column, nothing, plain, table
from eve_pipeline.report.image_picks import FLIP_COUNTS, FLIPS, REVISION_FLIPS
from eve_pipeline.statistics.significance import mcnemar_exact

MODELS = """
    select model, other_model, n_pairs, weighted_f1, other_f1, delta, ci_low, ci_high, p_value, p_holm, mcnemar_p, is_complete
    from marts.model_comparison
    where
        subset = $subset and prompt = $prompt and scoring = $scoring
        and model = least($one, $other) and other_model = greatest($one, $other)
"""
PROMPTS = """
    select prompt, baseline, n_pairs, weighted_f1, baseline_f1 as other_f1, delta, ci_low, ci_high, p_value, p_holm, mcnemar_p, is_complete
    from marts.prompt_effects where subset = $subset and model = $model and scoring = $scoring and prompt in ($one, $other)
"""
REVISIONS = """
    select
        revision, changed, model_revision_before, model_revision, prompt_revision_before, prompt_revision, n_pairs,
        weighted_f1_before as other_f1, weighted_f1, delta, ci_low, ci_high, p_value, mcnemar_p, n_changed, n_flipped_right,
        n_flipped_wrong, is_complete
    from marts.revision_comparison
    where subset = $subset and model = $model and prompt = $prompt and scoring = $scoring order by revision desc
"""
REVISED = "select distinct model, subset, prompt from marts.revision_comparison order by all"
KINDS = {
    "only the first is right": "only_first",
    "only the second is right": "only_second",
    "both wrong, differently": "different_wrong",
    "both wrong alike": "same_wrong",
    "both right": "both_right",
}
COLUMNS = [
    Column("what", "Difference"),
    Column("delta", "first - second", "number"),
    Column("delta", "95 % interval", "difference"),
    Column("weighted_f1", "F1 of the first", "number", is_minor=True),
    Column("other_f1", "F1 of the second", "number", is_minor=True),
    Column("p_value", "p (swap)", "number"),
    Column("p_holm", "p (Holm)", "number", is_minor=True),
    Column("mcnemar_p", "p (McNemar)", "number", is_minor=True),
    Column("n_pairs", "Images", "number"),
]


def page() -> None:
    """Show what differs between two sides."""
    scope.title("Compare", "On the same images: what do two models, prompts or revisions do differently, and is it more than chance?")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        what = links.switch("Compare", ("models", "prompts", "revisions"), "what")
        scoring = scope.choose_scoring()
    {"models": compare_models, "prompts": compare_prompts, "revisions": compare_revisions}[what](scoring)


def compare_models(scoring: str) -> None:
    """Compare two models under one prompt."""
    with st.container(horizontal=True):
        subset = scope.choose_subset()
        prompt = scope.choose_prompt(subset)
        known = scope.models(subset, prompt)
        one = links.choose("First model", known, "one")
        other = links.choose("Second model", known, "other", next((model for model in known if model != one), None))
    if one == other:
        nothing("Both sides are the same model.", "Choose another one; `eve run --model` asks it.")
        return
    found = published.rows(MODELS, subset=subset, prompt=prompt, scoring=scoring, one=one, other=other)
    show_difference(_turned(found, is_turned=one > other), f"{one} - {other}", scoring)
    show_flips({"subset": subset, "model": one, "prompt": prompt, "other_model": other, "other_prompt": prompt})


def compare_prompts(scoring: str) -> None:
    """Compare two prompts of one model."""
    with st.container(horizontal=True):
        subset = scope.choose_subset()
        model = scope.choose_model(subset)
        known = scope.prompts(subset, model)
        one = links.choose("First prompt", known, "first_prompt", next((prompt for prompt in known if prompt != scope.PLAIN_PROMPT), None))
        other = links.choose("Second prompt", known, "second_prompt", scope.PLAIN_PROMPT)
    if one == other:
        nothing("Both sides are the same prompt.", "Choose another one; `eve run --prompt` asks it.")
        return
    if scope.PLAIN_PROMPT in {one, other}:
        found = published.rows(PROMPTS, subset=subset, model=model, scoring=scoring, one=one, other=other)
        show_difference(_turned(found, is_turned=one == scope.PLAIN_PROMPT), f"{one} - {other}", scoring)
    else:
        st.text("Intervals of the difference are computed against the prompt simple alone; below is the exact test on the images.")
    show_flips({"subset": subset, "model": model, "prompt": one, "other_model": model, "other_prompt": other})


def compare_revisions(scoring: str) -> None:
    """Compare the revisions of one cell that followed each other."""
    revised = published.rows(REVISED)
    if revised.is_empty():
        nothing(
            "No cell has an earlier revision.",
            "When a model, a prompt or its settings change and are asked again, both revisions are compared here.",
        )
        return
    with st.container(horizontal=True):
        subset = links.choose("Images", revised["subset"].unique().sort().to_list(), "subset")
        model = links.choose("Model", revised.filter(subset=subset)["model"].unique().sort().to_list(), "model")
        prompt = links.choose("Prompt", revised.filter(subset=subset, model=model)["prompt"].to_list(), "prompt", scope.PLAIN_PROMPT)
        found = published.rows(REVISIONS, subset=subset, model=model, prompt=prompt, scoring=scoring)
        number = links.choose("Later revision", [str(value) for value in found["revision"]], "revision")
    row = found.filter(revision=int(number))
    for change in row.to_dicts():
        st.text(f"Changed: {change['changed'] or 'the text of the question'}.")
        for side in ("model", "prompt"):
            before, after = change[f"{side}_revision_before"], change[f"{side}_revision"]
            if before != after:
                st.text(plain(f"{side}: {before} → {after}"))
        st.text(
            f"{change['n_changed']:,} answers changed: {change['n_flipped_right']:,} became right, {change['n_flipped_wrong']:,} wrong."
        )
    show_difference(row, f"revision {number} - revision {int(number) - 1}", scoring)
    kind = links.choose("Answers that", list(REVISION_KINDS), "change")
    asked = {
        "subset": subset,
        "model": model,
        "later": f"{prompt}@{number}",
        "earlier": f"{prompt}@{int(number) - 1}",
        "kind": REVISION_KINDS[kind],
    }
    n = _counted(REVISION_FLIPS, asked)
    st.text(f"{n:,} images; the reading before stands first.")
    if n:
        pictures.grid(
            lambda limit, offset: published.rows(REVISION_FLIPS, **asked, limit=limit, offset=offset),
            n,
            f"{kind}: {model}, {prompt}, revision {number} of {subset}",
        )


REVISION_KINDS = {"became right": "only_second", "became wrong": "only_first", "changed": "changed"}


def show_difference(found: pl.DataFrame, what: str, scoring: str) -> None:
    """Show the difference of weighted F1 with its interval and tests."""
    if found.is_empty():
        nothing("There is no comparison of these two.", "They need images that both were asked about.")
        return
    absent = [pl.lit(None, pl.Float64).alias(column.name) for column in COLUMNS[1:] if column.name not in found.columns]
    rows = found.with_columns(pl.lit(what).alias("what"), *absent)
    table(rows, COLUMNS, f"Difference of weighted F1, scoring {scoring}, with its 95 % interval; the dashed line is no difference.")


def show_flips(sides: dict[str, Any]) -> None:
    """Show how often which side is right, and the images of one kind."""
    counts = published.rows(FLIP_COUNTS, **sides).to_dicts()[0]
    if not counts["n"]:
        return
    st.subheader("Which images make the difference")
    kinds = pl.DataFrame([{"kind": kind, "n": counts[column], "share": counts[column] / counts["n"]} for kind, column in KINDS.items()])
    left, right = st.columns([3, 2], gap="large")
    with left:
        table(
            kinds,
            [Column("kind", "Kind"), Column("share", "Share", "bar"), Column("n", "Images", "number")],
            "How often which side is right.",
        )
    with right:
        p_value = mcnemar_exact(counts["only_first"], counts["only_second"])
        st.text(
            f"The sides disagree about what is right in {counts['only_first'] + counts['only_second']:,} of {counts['n']:,} images: "
            f"{counts['only_first']:,} for the first, {counts['only_second']:,} for the second. "
            f"Exact McNemar test of both being equally likely: p {'< 0.001' if p_value < SMALLEST_P else f'= {p_value:.3f}'}."
        )
        kind = links.choose("Show images where", list(KINDS), "kind")
    asked = sides | {"kind": KINDS[kind]}
    n = counts[KINDS[kind]]
    st.text(f"{n:,} images; the answer of the first stands first.")
    if n:
        pictures.grid(
            lambda limit, offset: published.rows(FLIPS, **asked, limit=limit, offset=offset),
            n,
            f"{kind}: {sides['model']}, {sides['prompt']} and {sides['other_model']}, {sides['other_prompt']}",
        )


SMALLEST_P = 0.001


def _turned(found: pl.DataFrame, *, is_turned: bool) -> pl.DataFrame:
    """Return the comparison seen from the other side."""
    if not is_turned:
        return found
    return found.with_columns(
        delta=-pl.col("delta"), ci_low=-pl.col("ci_high"), ci_high=-pl.col("ci_low"), weighted_f1="other_f1", other_f1="weighted_f1"
    )


def _counted(sql: str, asked: dict[str, Any]) -> int:
    """Return how many images a query finds."""
    rows = published.rows(f"select count(*)::bigint as n from ({sql})", **asked, limit=None, offset=0)  # noqa: S608 - one of the app's own queries
    return int(rows["n"].item())


if __name__ == "__main__":
    page()
