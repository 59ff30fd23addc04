"""How every page begins: its style, the open index, its head."""

import streamlit as st

from app import resources
from app.settings import Settings
from app.style import STYLE
from app.widgets.masthead import draw_masthead
from app.widgets.problems import draw_index_missing
from indexer import IndexerError, Searcher

__all__ = ["open_page"]


def open_page(settings: Settings) -> Searcher | None:
    """Draw the head of a page and return the searcher; None, said in words, without an index."""
    st.html(STYLE)
    try:
        searcher = resources.open_current(settings)
    except IndexerError as error:
        draw_index_missing(str(error), str(settings.index_dir))
        return None
    draw_masthead(searcher.index.info)
    return searcher
