"""The list to take away; a file is made only when it is asked for."""

from functools import partial

import streamlit as st

from indexer import Hits, render_hits

__all__ = ["draw_downloads"]

FORMATS = {
    "csv": ("CSV", "csv", "text/csv"),
    "fits": ("FITS", "fits", "application/fits"),
    "votable": ("VOTable", "vot", "application/x-votable+xml"),
    "parquet": ("Parquet", "parquet", "application/vnd.apache.parquet"),
}


def draw_downloads(hits: Hits) -> None:
    """Draw a menu with a button for each format."""
    with st.popover("Download", icon=":material/download:", key="downloads"):
        st.caption("The neighbours with scores, positions and the receipt of this search.")
        for name, (title, suffix, media_type) in FORMATS.items():
            st.download_button(
                title,
                data=partial(render_hits, hits, name),
                file_name=f"neighbours.{suffix}",
                mime=media_type,
                on_click="ignore",
                key=f"download:{name}",
                width="stretch",
            )
