"""The neighbours: one comparison that can be zoomed, then a card for each, then more of them."""

from collections.abc import Mapping

import streamlit as st

from app import saved, state
from app.address import MAX_NEIGHBOURS
from app.link_outs import pages_at
from app.markup import hit_html, legend_html
from app.presentation import Card, cards
from app.spectra_view import Named
from app.widgets.examples import draw_marks
from app.widgets.more import draw_more
from app.widgets.pictures import Overlay, curve_of, source_of
from app.widgets.spectra import draw_spectra
from indexer import Hits, Preview, Query, Searcher

__all__ = ["COMPARE_PAGE", "RAW", "draw_neighbours"]

CARD_WIDTH_PX = {"image": 160, "spectrum": 250, "xp": 250}
COMPARE_PAGE = "views/compare.py"
RAW = "raw_scores"
MORE = 12


def draw_neighbours(searcher: Searcher, query: Query, hits: Hits, overlay: Overlay | None) -> None:
    """Draw the hits as cards of equal size, spectra also as one figure.

    Parameters
    ----------
    searcher
        Gives the previews.
    query
        What was asked, without further examples.
    hits
        Not empty.
    overlay
        What is drawn over each neighbour.
    """
    shown = cards(hits)
    previews = {card.key: searcher.preview(card.key, card.modality) for card in shown}
    if shown[0].modality == "spectrum":
        redshifts = dict(zip(map(str, hits.key), map(float, hits.redshift), strict=True))
        _draw_comparison(shown, previews, redshifts, overlay, query.redshift)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        # Below its own control: the legend says what the numbers are.
        legend = st.container(width="stretch")
        raw = st.toggle("Raw scores", key=RAW, persist_state="session")
    with legend:
        name = overlay.name if overlay else ""
        st.html(legend_html(shown[0].modality, query_name=name, raw=raw))
    releases = searcher.index.info.releases
    width = CARD_WIDTH_PX.get(shown[0].modality, 250)
    grid = st.grid("auto", min_column_width=width, border=True, gap="small", key="hits")
    for row, card in enumerate(shown):
        source, alternative = source_of(previews[card.key], card.key, overlay)
        simulated = releases[card.release].simulated
        place = (float(hits.ra_deg[row]), float(hits.dec_deg[row]))
        # Controls are named by their row: Streamlit keeps what once had a name for as long as the
        # session, and named by its object every neighbour would leave some kilobytes behind.
        with grid.cell():
            # Of a place in a simulated sky nobody else knows anything.
            pages = {} if simulated else pages_at(*place)
            st.html(hit_html(card, source, alternative, raw=raw, pages=pages))
            st.button(
                "More like this",
                key=f"more:{row}",
                on_click=state.ask,
                args=(card.key,),
                width="stretch",
            )
            # An address parts examples by commas.
            if "," not in card.key:
                draw_marks(card.key, row)
            _draw_save(card.key, row)
            if query.key is not None:
                st.page_link(
                    COMPARE_PAGE,
                    label="Beside the query",
                    icon=":material/compare_arrows:",
                    query_params={"a": query.key, "b": card.key},
                )
    if len(hits) == state.current().k < MAX_NEIGHBOURS:
        more = min(MORE, MAX_NEIGHBOURS - len(hits))
        draw_more(f"Show {more} more", "load_more", _show_more, more)


def _draw_save(key: str, row: int) -> None:
    kept = key in saved.saved()
    st.button(
        "Saved" if kept else "Save",
        key=f"save:{row}",
        icon=":material/bookmark_added:" if kept else ":material/bookmark_add:",
        type="tertiary",
        help="Keep it on the page Saved, in this browser session",
        on_click=_save,
        args=(key,),
    )


def _save(key: str) -> None:
    saved.toggle(key)
    state.touched()


def _show_more(count: int) -> None:
    st.session_state[state.COUNT] += count
    state.touched()


@st.fragment
def _draw_comparison(
    shown: tuple[Card, ...],
    previews: Mapping[str, Preview | None],
    redshifts: Mapping[str, float],
    overlay: Overlay | None,
    query_redshift: float,
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
    curve = curve_of(previews.get(name))
    over = curve_of(overlay.preview) if overlay else None
    draw_spectra(
        None if curve is None else Named(name, curve, redshifts[name]),
        Named(overlay.name, over, query_redshift) if overlay and over else None,
        "comparison",
    )
