"""The pages and the API in one process: `python -m streamlit run app/asgi.py`.

From the repository's root. Both use one open index, that of `app.resources`.
"""

from pathlib import Path

import streamlit as st

from app.api import create_api, mounted
from app.resources import open_unseen
from app.settings import read_settings
from indexer.search import Searcher


def _open_searcher() -> Searcher:
    return open_unseen(read_settings())


# Streamlit finds it by its name; the path is whole because that is not run from here always.
app = st.App(
    Path(__file__).with_name("main.py"),
    routes=[mounted(create_api(_open_searcher, read_settings().limits))],
)
