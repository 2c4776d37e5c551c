"""One file a page, which Streamlit runs as a script."""
