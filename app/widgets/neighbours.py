"""The neighbours: one comparison that can be zoomed, then a card for each."""

import streamlit as st

from app import state
from app.figures import FIGURE_CONFIG, spectra_figure
from app.markup import hit_html, legend_html
from app.presentation import Card, cards
from app.widgets.pictures import Overlay, curve_of, source_of
from indexer import Hits, Preview, Searcher

__all__ = ["draw_neighbours"]

CARD_WIDTH_PX = {"image": 160, "spectrum": 250, "xp": 250}


def draw_neighbours(searcher: Searcher, hits: Hits, overlay: Overlay | None) -> None:
    """Draw the hits as cards of equal size, spectra also as one figure.

    Parameters
    ----------
    searcher
        Gives the previews.
    hits
        Not empty.
    overlay
        What is drawn over each neighbour.
    """
    shown = cards(hits)
    previews = {card.key: searcher.preview(card.key, card.modality) for card in shown}
    if shown[0].modality == "spectrum":
        _draw_comparison(shown, previews, overlay)
    st.html(legend_html(shown[0].modality, query_name=overlay.name if overlay else ""))
    width = CARD_WIDTH_PX.get(shown[0].modality, 250)
    grid = st.grid("auto", min_column_width=width, border=True, gap="small", key="hits")
    for card in shown:
        source, alternative = source_of(previews[card.key], card.key, overlay)
        with grid.cell():
            st.html(hit_html(card, source, alternative))
            st.button(
                "More like this",
                key=f"more:{card.key}",
                on_click=state.ask,
                args=(card.key,),
                width="stretch",
            )


@st.fragment
def _draw_comparison(
    shown: tuple[Card, ...], previews: dict[str, Preview | None], overlay: Overlay | None
) -> None:
    lead = "Neighbour" if overlay is None else "Query over neighbour"
    names = {card.key: f"{lead} {card.rank} · {card.key}" for card in shown}
    chosen = st.selectbox(
        "Compare the query with",
        list(names),
        format_func=names.__getitem__,
        key="compare",
        label_visibility="collapsed",
    )
    name = chosen or shown[0].key
    figure = spectra_figure(
        curve_of(previews.get(name)),
        curve_of(overlay.preview) if overlay else None,
        neighbour_name=name,
        query_name=overlay.name if overlay else "query",
    )
    st.plotly_chart(
        figure,
        key="comparison",
        config=FIGURE_CONFIG,
        alt=f"Spectrum of {name} with the query's over it, flux over median against wavelength",
    )
