"""Leaderboard: which model recognises the evoked emotion best, and how sure is that?"""

import streamlit as st

from eve_pipeline.explorer import published


def page() -> None:
    """Show all models of a subset, the best first."""
    st.title("Leaderboard")
    st.dataframe(published.rows("select * from marts.weighted_f1 where scoring = $scoring", scoring="strict"))


if __name__ == "__main__":
    page()
