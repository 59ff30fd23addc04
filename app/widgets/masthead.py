"""The name of the page, what the index holds in one line, and what is not real about it."""

import streamlit as st

from app.presentation import demonstration_words, encoder_words, is_demonstration
from indexer.index_model import IndexInfo

__all__ = ["PAGES", "draw_masthead"]

PAGES = {
    "views/search.py": "Search",
    "views/compare.py": "Compare",
    "views/lists.py": "A list",
    "views/map.py": "Map",
    "views/discordant.py": "Discordant",
    "views/saved.py": "Saved",
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
        demonstration = demonstration_words(info)
        if demonstration:
            st.badge(
                "Simulated sky" if is_demonstration(info) else "Demonstration model",
                icon=":material/science:",
                color="orange",
                help=f"{demonstration}\n\nEncoder: {encoder_words(info)}",
            )
