"""Choices that stand in the address, so that a copied link shows the same view; a value that the address should not have is replaced."""

import re
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

VIEWS = Path(__file__).parent / "views"
PLAIN = re.compile(r"[^\w. -]")


def choose(label: str, options: Sequence[str], key: str, default: str | None = None) -> str:
    """Return one of the options: what was chosen, else what the address says, else the default, else the first; it is put in the address.

    Options may be anybody's text: a select box shows them as they are. They stand in the address as they are shown.
    """
    settle(key, options, default if default is not None and default in options else options[0])
    chosen = st.selectbox(label, options, index=None, key=key, bind="query-params")
    return chosen or options[0]


def switch(label: str, options: Sequence[str], key: str, help_text: str | None = None) -> str:
    """Return one of a few options that are the program's own words; the first is the default."""
    settle(key, options, options[0])
    chosen = st.segmented_control(label, options, key=key, bind="query-params", help=help_text)
    return chosen or options[0]


def search(label: str, key: str, placeholder: str = "") -> str:
    """Return what was typed."""
    return st.text_input(label, key=key, bind="query-params", placeholder=placeholder, type="search") or ""


def arrive(page: str) -> None:
    """Note which page is shown: where another one was shown before, the address says more than what was chosen there."""
    st.session_state["has_arrived"] = st.session_state.get("page_shown") != page
    st.session_state["page_shown"] = page


def settle(key: str, options: Sequence[str], default: str) -> None:
    """Put the default in the place of a value that is no option (any more), and the value in the address where another page left it out."""
    named, chosen = st.query_params.get(key), st.session_state.get(key)
    value = named if chosen not in options or (st.session_state.get("has_arrived") and named in options) else chosen
    st.session_state[key] = value if value in options else default
    if named is None:
        st.query_params[key] = st.session_state[key]


def page_link(page: str, label: str, **parameters: str) -> None:
    """Show a link to another page; of the label, which Streamlit reads as Markdown, only letters, digits and what keys hold are kept."""
    st.page_link(VIEWS / f"{page}.py", label=PLAIN.sub("?", label), query_params=parameters)


def open_page(page: str, **parameters: str) -> None:
    """Go to another page."""
    st.switch_page(VIEWS / f"{page}.py", query_params=parameters)
