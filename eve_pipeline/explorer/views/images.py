"""Images: which pictures are hard, disputed or misread, and what do all models say about them?"""

from typing import Any

import streamlit as st

from eve_pipeline.explorer import links, pictures, published, scope
from eve_pipeline.explorer.showing import nothing
from eve_pipeline.report.image_picks import BROWSED

ANY = "any"
AGREEMENTS = ("any", "all models wrong", "some right, some wrong", "all models right", "models disagree", "models say the same")
OUTCOMES = (
    "any",
    "right",
    "wrong",
    "error category I",
    "error category II",
    "error category III",
    "error category undetermined",
    "no label",
)
VOTES = ("any", "raters agree (80 % or more)", "raters are split (below 50 %)", "tie, no label", "no votes")
ORDERS = ("name", "most wrong first", "raters most split first")
LABELS = "select distinct coalesce(label, '(none)') as label from raw.images where dataset = $dataset order by label"
DATASETS = "select any_value(dataset) as dataset from intermediate.cells where subset = $subset"


def page() -> None:
    """Show the images that fit the filters."""
    scope.title("Images", "Which pictures are hard, disputed or misread, and what do all models say about them?")
    asked = filters()
    first = published.rows(BROWSED, **asked, limit=pictures.A_PAGE, offset=0)
    n = int(first["n"][0]) if first.height else 0
    if not n:
        nothing("No image fits.", "Take a filter back.")
        return
    st.text(f"{n:,} image{'s'[: n > 1]}. Below each: what people felt → what models answered.")
    pictures.grid(lambda limit, offset: published.rows(BROWSED, **asked, limit=limit, offset=offset), n, "Images")


def filters() -> dict[str, Any]:
    """Let choose the filters, and return the query's parameters."""
    with st.container(horizontal=True):
        subset = scope.choose_subset()
        prompt = scope.choose_prompt(subset)
        dataset = published.rows(DATASETS, subset=subset)["dataset"].item()
        label = links.choose("Truth", [ANY, *published.rows(LABELS, dataset=dataset)["label"]], "label")
        votes = links.choose("Votes", VOTES, "votes")
        agreement = links.choose("Agreement between models", AGREEMENTS, "agreement")
    with st.container(horizontal=True):
        model = links.choose("Answers of", [ANY, *scope.models(subset, prompt)], "of")
        outcome = links.choose("Outcome", OUTCOMES, "outcome")
        scheme = scope.choose_scheme()
        order = links.choose("Order", ORDERS, "order")
        name = links.search("Name contains", "name")
    return {
        "subset": subset, "prompt": prompt, "label": None if label == ANY else label, "votes": votes, "agreement": agreement,
        "model": None if model == ANY else model, "outcome": outcome.removeprefix("error category "), "scheme": scheme, "order": order,
        "name": name or None,
    }  # fmt: skip


if __name__ == "__main__":
    page()
