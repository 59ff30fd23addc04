"""The bridge of an answer, by name, with what it is and how well it works on demand."""

import streamlit as st

from app.bridges import BRIDGE_ICONS, bridge_of, explanation
from app.presentation import BRIDGE_NAMES
from indexer import Hits, Query, Searcher

__all__ = ["draw_bridge"]


def draw_bridge(searcher: Searcher, query: Query, hits: Hits) -> None:
    """Draw the name of the bridge of all hits; it opens an explanation."""
    bridge = bridge_of(hits)
    name = BRIDGE_NAMES.get(bridge, bridge)
    with st.popover(f"Bridge: {name}", icon=BRIDGE_ICONS.get(bridge), key="bridge_explained"):
        index = searcher.index
        st.markdown(
            explanation(bridge, query, str(hits.modality[0]), index.info, index.heads_facts)
        )
