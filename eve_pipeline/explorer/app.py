"""The script that Streamlit runs for every visitor: who may look, which pages there are, and which one is shown."""

from pathlib import Path

import streamlit as st

from eve_pipeline.errors import EveError
from eve_pipeline.explorer import access, links, published
from eve_pipeline.settings import Settings

HERE = Path(__file__).parent
PAGES = {
    "leaderboard": "Leaderboard",
    "model": "Model",
    "compare": "Compare",
    "prompts": "Prompts",
    "images": "Images",
    "open_answers": "Open answers",
    "costs": "Costs",
    "human_evaluation": "Human evaluation",
    "annotate": "Annotate",
    "sql": "SQL",
}
"""Name of each file in `views`, which is also its address. None has an icon: Streamlit would fetch it from another server."""


def main() -> None:
    """Show the page that the address names."""
    st.set_page_config(page_title="EvE results", page_icon=str(HERE / "icon.svg"), layout="wide", initial_sidebar_state="auto")
    st.html(HERE / "style.css")
    settings = Settings()
    if access.invited(settings):
        file = HERE / "views" / "annotate.py"
        everywhere = [st.Page(file, title="Annotate", url_path=name, default=not name) for name in ("", *PAGES)]
        _run(st.navigation(everywhere, position="hidden"))
        return
    if not access.is_reader(settings):
        access.ask_for_token(settings)
        return
    pages = [
        st.Page(HERE / "views" / f"{name}.py", title=title, url_path=name, default=name == "leaderboard") for name, title in PAGES.items()
    ]
    pages.append(st.Page(HERE / "views" / "image.py", title="Image", url_path="image", visibility="hidden"))
    chosen = st.navigation(pages, position="top")
    links.arrive(chosen.url_path)
    published.follow()
    _run(chosen)


def _run(page: st.Page) -> None:
    try:
        page.run()
    except EveError as error:
        st.warning("This page cannot be shown.")
        st.text(f"{error.problem}\n{error.hint}")


if __name__ == "__main__":
    main()
