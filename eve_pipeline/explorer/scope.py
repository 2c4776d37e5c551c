"""What is looked at: the subset, prompt and model that most pages ask for first, with the same names in every address."""

import streamlit as st

from eve_pipeline.errors import EveError
from eve_pipeline.explorer import links, published

PLAIN_PROMPT = "simple"
CELLS = "select distinct model, dataset, subset, prompt from intermediate.cells order by all"
SCORINGS = ("strict", "answered")


def subsets() -> list[str]:
    """Return the subsets that were asked about; `EveError` where there are none."""
    found: list[str] = published.rows(CELLS)["subset"].unique().sort().to_list()
    if not found:
        raise EveError("Nothing was asked yet", "Run `eve run --model MODEL --dataset DATASET`.")
    return found


def models(subset: str, prompt: str | None = None) -> list[str]:
    """Return the models that were asked about a subset, under one prompt or any."""
    cells = published.rows(CELLS).filter(subset=subset)
    cells = cells if prompt is None else cells.filter(prompt=prompt)
    found: list[str] = cells["model"].unique().sort().to_list()
    return found


def prompts(subset: str, model: str | None = None) -> list[str]:
    """Return the prompts under which a subset was asked about, by one model or any."""
    cells = published.rows(CELLS).filter(subset=subset)
    cells = cells if model is None else cells.filter(model=model)
    found: list[str] = cells["prompt"].unique().sort().to_list()
    return found


def choose_subset() -> str:
    """Let choose a subset."""
    return links.choose("Images", subsets(), "subset")


def choose_prompt(subset: str, model: str | None = None) -> str:
    """Let choose a prompt, by default the plain one."""
    return links.choose("Prompt", prompts(subset, model), "prompt", PLAIN_PROMPT)


def choose_model(subset: str, prompt: str | None = None) -> str:
    """Let choose a model."""
    return links.choose("Model", models(subset, prompt), "model")


def choose_scoring() -> str:
    """Let choose a scoring."""
    meaning = "strict: what is no answer counts as wrong. answered: answers with a label alone."
    return links.switch("Scoring", SCORINGS, "scoring", help_text=meaning)


def choose_scheme() -> str:
    """Let choose an affect scheme."""
    schemes = published.rows("select distinct scheme from seeds.affect_schemes order by scheme")["scheme"].to_list()
    return links.choose("Affect scheme", schemes, "scheme", "circumplex")


def title(text: str, question: str) -> None:
    """Head a page with its name and the question that it answers."""
    st.title(text)
    st.text(question)
