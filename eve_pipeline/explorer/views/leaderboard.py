"""Leaderboard: which model recognises the evoked emotion best, and how sure is that?"""

import polars as pl
import streamlit as st

from eve_pipeline.explorer import links, published, scope
from eve_pipeline.explorer.showing import Column, nothing, table

LEVELS = ("emotion", "sentiment", "arousal")
EMOTION = """
    select * from marts.weighted_f1 where subset = $subset and prompt = $prompt and scoring = $scoring
    order by weighted_f1 desc nulls last, model
"""
AFFECT = """
    select * from marts.affect_f1
    where subset = $subset and prompt = $prompt and scoring = $scoring and dimension = $dimension and scheme = $scheme
    order by weighted_f1 desc nulls last, model
"""
COLUMNS = [
    Column("model", "Model"),
    Column("weighted_f1", "Weighted F1", "number"),
    Column("weighted_f1", "95 % interval", "interval"),
    Column("macro_f1", "Macro F1", "number", is_minor=True),
    Column("accuracy", "Accuracy", "number", is_minor=True),
    Column("coverage", "Coverage", "percent"),
    Column("n", "n", "number"),
]


def page() -> None:
    """Show all models of a subset, the best first."""
    scope.title("Leaderboard", "Which model recognises the evoked emotion best, and how sure is that?")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        subset = scope.choose_subset()
        prompt = scope.choose_prompt(subset)
        level = links.switch("Level", LEVELS, "level")
        scoring = scope.choose_scoring()
        scheme = scope.choose_scheme() if level != "emotion" else None
    asked = {"subset": subset, "prompt": prompt, "scoring": scoring}
    board = published.rows(AFFECT, **asked, dimension=level, scheme=scheme) if scheme else published.rows(EMOTION, **asked)
    if board.is_empty():
        nothing(
            "No image of these has a label to score.",
            "Choose other images; ratings alone are scored at the level of sentiment and arousal.",
        )
        return
    st.text(in_words(board))
    of = "emotion" if scheme is None else f"{level} ({scheme})"
    table(board, COLUMNS, f"Weighted F1 of {of} on {subset}, prompt {prompt}, scoring {scoring}; 95 % bootstrap intervals over images.")
    with st.container(horizontal=True):
        st.text("Look closer:")
        for model in board["model"]:
            links.page_link("model", model, model=model, subset=subset, prompt=prompt)


def in_words(board: pl.DataFrame) -> str:
    """Return what the board says in one sentence."""
    scored = board.filter(pl.col("weighted_f1").is_not_null()).to_dicts()
    if not scored:
        return "No model has a score here."
    best, *others = scored
    spread = "" if best["ci_low"] is None else f" (95 % interval {best['ci_low']:.3f} to {best['ci_high']:.3f})"
    lead = f"{best['model']} is first of {board.height} with {best['weighted_f1']:.3f}{spread}"
    if not others or best["ci_low"] is None or others[0]["ci_high"] is None:
        return f"{lead}."
    overlaps = [other["model"] for other in others if other["ci_high"] is not None and other["ci_high"] >= best["ci_low"]]
    return (
        f"{lead}; the intervals of {len(overlaps)} of the others overlap with its own."
        if overlaps
        else f"{lead}; no other interval reaches its own."
    )


if __name__ == "__main__":
    page()
