"""The name of the page, what the index holds in one line, and what is not real about it."""

import streamlit as st

from app.presentation import encoder_words, is_demonstration
from indexer.index_model import IndexInfo

__all__ = ["PAGES", "draw_masthead"]

PAGES = {
    "views/search.py": "Search",
    "views/compare.py": "Compare",
    "views/about.py": "This index",
}


def draw_masthead(info: IndexInfo) -> None:
    """Draw the head of every page."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="masthead"):
        st.markdown("#### AION search", anchors=False, width="content")
        st.caption("What else in the sky looks like this?", width="content")
        st.space("stretch")
        for page, title in PAGES.items():
            st.page_link(page, label=title)
        if is_demonstration(info):
            st.badge(
                "Simulated sky",
                icon=":material/science:",
                color="orange",
                help=(
                    "This index holds a simulated sky, and its vectors come from a small "
                    "demonstration model trained on simulated data. Nothing here was observed.\n\n"
                    f"Encoder: {encoder_words(info)}"
                ),
            )
