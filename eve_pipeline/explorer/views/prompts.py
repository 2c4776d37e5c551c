"""Prompts: how much does a score hang on the wording of the question, on a persona, and on the order of the labels?"""

import streamlit as st

from eve_pipeline.explorer import charts, links, published, scope
from eve_pipeline.explorer.showing import Column, nothing, table
from eve_pipeline.report import figures

EFFECTS = """
    select * from marts.prompt_effects where subset = $subset and model = $model and scoring = $scoring
    order by delta desc nulls last, prompt
"""
SHIFTS = """
    select * from marts.persona_shift where subset = $subset and model = $model and scheme = $scheme order by prompt
"""
POSITIONS = """
    select * from marts.label_order_bias where subset = $subset and model = $model and kind = 'position' order by prompt, position
"""
ORDERS = """
    select *, prompt || ' against ' || compared_with as orders from marts.label_order_bias
    where subset = $subset and model = $model and kind = 'order' order by orders, effect desc nulls last
"""
EFFECT_COLUMNS = [
    Column("prompt", "Prompt"),
    Column("delta", "Change of F1", "number"),
    Column("delta", "95 % interval", "difference"),
    Column("weighted_f1", "Weighted F1", "number", is_minor=True),
    Column("p_holm", "p (Holm)", "number"),
    Column("mcnemar_p", "p (McNemar)", "number", is_minor=True),
    Column("n_pairs", "Images", "number", is_minor=True),
]
SHIFT_COLUMNS = [
    Column("prompt", "Persona"),
    Column("shift", "Shift of bias", "number"),
    Column("shift", "95 % interval", "difference"),
    Column("sentiment_bias", "Bias", "number", is_minor=True),
    Column("baseline_bias", "Bias under simple", "number", is_minor=True),
    Column("p_holm", "p (Holm)", "number"),
    Column("n_pairs", "Images", "number", is_minor=True),
]
ORDER_COLUMNS = [
    Column("label", "Label"),
    Column("effect", "Change of share", "number"),
    Column("effect", "95 % interval", "difference"),
    Column("expected_share", "Share before", "percent", is_minor=True),
    Column("share", "Share", "percent"),
    Column("p_value", "p (McNemar)", "number"),
]
POSITION_COLUMNS = [
    Column("position", "Position"),
    Column("effect", "Effect, log-odds", "number"),
    Column("effect", "95 % interval", "difference"),
    Column("share", "Share", "percent"),
    Column("expected_share", "Expected", "percent", is_minor=True),
    Column("p_value", "p (permutation)", "number"),
]


def page() -> None:
    """Show what wording, persona and order of the labels change."""
    scope.title("Prompts", "How much does a score hang on the wording of the question, on a persona, and on the order of the labels?")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        subset = scope.choose_subset()
        model = scope.choose_model(subset)
        scoring = scope.choose_scoring()
        scheme = scope.choose_scheme()
    cell = {"subset": subset, "model": model}
    left, right = st.columns(2, gap="large")
    with left:
        show_wording(cell, scoring)
        show_personas(cell, scheme)
    with right:
        show_positions(cell)
        show_orders(cell)


def show_wording(cell: dict[str, str], scoring: str) -> None:
    """Show the change of F1 under each prompt."""
    st.subheader("Wording")
    effects = published.rows(EFFECTS, **cell, scoring=scoring)
    if effects.is_empty():
        nothing("There is no other prompt to compare with simple.", "`eve run --model MODEL --dataset DATASET` asks all nine.")
        return
    worse = effects.filter((effects["ci_high"] < 0).fill_null(value=False))["prompt"].to_list()
    better = effects.filter((effects["ci_low"] > 0).fill_null(value=False))["prompt"].to_list()
    st.text(f"Worse than simple, by an interval that leaves out 0: {', '.join(worse) or 'none'}. Better: {', '.join(better) or 'none'}.")
    table(effects, EFFECT_COLUMNS, f"Weighted F1 minus that under simple, on the same images, scoring {scoring}.")


def show_personas(cell: dict[str, str], scheme: str) -> None:
    """Show how far personas turn the sentiment bias."""
    shifts = published.rows(SHIFTS, **cell, scheme=scheme)
    st.subheader("Personas")
    if shifts.is_empty():
        nothing("No persona was asked.", "`eve run --prompt simple --prompt positive_persona --prompt negative_persona`.")
        return
    table(
        shifts,
        SHIFT_COLUMNS,
        f"Sentiment bias under a persona minus that under simple ({scheme}); above 0 it makes the model see things more brightly.",
    )


def show_positions(cell: dict[str, str]) -> None:
    """Show the pull of each position in the list."""
    st.subheader("Position in the list")
    positions = published.rows(POSITIONS, **cell)
    if positions.is_empty():
        nothing(
            "This model was not asked in many orders of the labels.",
            "`eve run --prompt permutation_4` asks each image in all 24 orders of four.",
        )
        return
    prompt = links.choose("Orders", positions["prompt"].unique().sort().to_list(), "order_prompt")
    rows = positions.filter(prompt=prompt)
    drawn = rows.filter(rows["effect"].is_not_null())
    table(rows, POSITION_COLUMNS, "How much more often a label is chosen where it stands at a position, whatever the label.")
    if drawn.height:
        with st.expander("Chart"):
            charts.show(figures.position_effects(drawn, drawn), "The effects of the table above.")


def show_orders(cell: dict[str, str]) -> None:
    """Show how each label's share changes between two orders."""
    st.subheader("Order of the labels")
    orders = published.rows(ORDERS, **cell)
    if orders.is_empty():
        nothing(
            "There are no two prompts of one wording with different orders.",
            "`eve run --prompt simple --prompt positive_first --prompt negative_first`.",
        )
        return
    which = links.choose("Orders compared", orders["orders"].unique().sort().to_list(), "orders")
    rows = orders.filter(orders=which)
    table(rows, ORDER_COLUMNS, f"Share of the answers that each label gets: {which}.")


if __name__ == "__main__":
    page()
