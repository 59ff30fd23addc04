"""The list as a whole: redshifts, magnitudes, classes, and where its objects lie."""

from collections import Counter
from typing import Any

import numpy as np
import streamlit as st

from app.figures import BARE_CONFIG
from app.list_figures import histogram_figure, sky_figure
from app.markup import shares_html
from app.presentation import class_words
from app.properties import Share
from indexer import Hits, Query

__all__ = ["OPEN", "draw_glance"]

OPEN = "glance_open"


@st.fragment
def draw_glance(query: Query, hits: Hits) -> None:
    """Draw a panel that sums the list up when it is opened."""
    panel = st.expander(
        "The list at a glance: redshifts, magnitudes, classes, sky",
        icon=":material/bar_chart:",
        key=OPEN,
        on_change="rerun",
    )
    if not panel.open:
        return
    with panel:
        left, middle, right = st.columns(3, gap="medium")
        with left:
            _histogram(hits.redshift, "Redshift", query.redshift)
        with middle:
            _histogram(hits.magnitude, "Magnitude")
            st.caption("Every release has its own band.")
        with right:
            st.html(shares_html("Class", _classes(hits)))
        placed = int(np.sum(np.isfinite(hits.ra_deg) & np.isfinite(hits.dec_deg)))
        names = [f"{rank} {key}" for rank, key in zip(hits.rank, hits.key, strict=True)]
        st.plotly_chart(
            sky_figure(hits.ra_deg, hits.dec_deg, names, query=(query.ra_deg, query.dec_deg)),
            key="sky",
            config=BARE_CONFIG,
            alt=f"Map of the sky with the {placed} neighbours that have a position",
        )
        st.dataframe(
            _table(hits), hide_index=True, key="list", height=240, alt="The list as a table"
        )


def _table(hits: Hits) -> dict[str, list[Any]]:
    """Return what people sort by; identifiers as texts, which no browser rounds."""
    return {
        "rank": hits.rank.tolist(),
        "key": hits.key.tolist(),
        "percentile": hits.percentile.tolist(),
        "score": hits.score.tolist(),
        "redshift": hits.redshift.tolist(),
        "magnitude": hits.magnitude.tolist(),
        "class": hits.object_class.tolist(),
        "RA (°)": hits.ra_deg.tolist(),
        "Dec (°)": hits.dec_deg.tolist(),
    }


def _histogram(values: np.ndarray, title: str, known: float = float("nan")) -> None:
    finite = values[np.isfinite(values)]
    if not len(finite):
        st.caption(f"{title}: unknown of all of them.")
        return
    st.plotly_chart(
        histogram_figure(values, title, known=known),
        key=f"histogram:{title}",
        config=BARE_CONFIG,
        alt=f"{title} of {len(finite)} of {len(values)} neighbours: from {finite.min():.4g} to "
        f"{finite.max():.4g}, median {np.median(finite):.4g}",
    )


def _classes(hits: Hits) -> list[Share]:
    counts = Counter(class_words(str(name)) or "unknown" for name in hits.object_class)
    return [Share(name, count / len(hits)) for name, count in counts.most_common()]
