"""One file a page, which Streamlit runs as a script.

The folder must not be called `pages`: Streamlit runs what lies in such a folder at its own address, past app.py and its question for
the token.
"""
