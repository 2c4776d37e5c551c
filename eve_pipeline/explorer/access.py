"""Who may look: everybody who reaches the server, or who has its token where it was started with one; annotators have their own."""

import hmac
import time

import streamlit as st

from eve_pipeline.annotation.invitations import Invited, whose
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse

SECONDS_AFTER_A_WRONG_TOKEN = 1.0


def invited(settings: Settings) -> Invited | None:
    """Return the study and annotator whose token was in the link or in the form; who has one sees that study and nothing else."""
    warehouse = Warehouse.of(settings)
    token = st.query_params.get("token", "")
    if token and whose(token, warehouse):
        st.session_state["invitation"] = st.query_params.pop("token")
    held = st.session_state.get("invitation")
    return whose(held, warehouse) if held else None  # asked each time: a token that was renewed ends


def is_reader(settings: Settings) -> bool:
    """Whether this session may see the results: there is no token, or it was in the link or in the form before.

    A token in the link is taken out of the address, so that a copied link does not hold it.
    """
    if settings.app_token is None or st.session_state.get("is_reader"):
        return True
    st.session_state["is_reader"] = is_token(st.query_params.pop("token", ""), settings)
    return bool(st.session_state["is_reader"])


def is_token(text: str, settings: Settings) -> bool:
    """Whether the text is the server's token, in a time that does not depend on where it differs; a wrong one takes a second."""
    if settings.app_token is None or not text:
        return False
    is_right = hmac.compare_digest(text.encode(), settings.app_token.get_secret_value().encode())
    if not is_right:
        time.sleep(SECONDS_AFTER_A_WRONG_TOKEN)
    return is_right


def ask_for_token(settings: Settings) -> None:
    """Show a form for the token and nothing else."""
    st.title("EvE results")
    st.text("This server asks for a token; whoever started it has it.\nTo annotate, open the link you were sent again, or enter its token.")
    with st.form("access"):
        text = st.text_input("Token", type="password", autocomplete="current-password")
        is_sent = st.form_submit_button("Open", type="primary")
    if is_sent and whose(text, Warehouse.of(settings)):
        st.session_state["invitation"] = text
        st.rerun()
    elif is_sent and is_token(text, settings):
        st.session_state["is_reader"] = True
        st.rerun()
    elif is_sent:
        st.error("This is not the token.")
