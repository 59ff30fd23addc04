"""The query: its picture, what is known of it, its source's other observations, assumptions."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state
from app.markup import links_html, notes_html, picture_html, query_html, safe_link
from app.presentation import (
    MODALITY_TITLES,
    class_words,
    position_words,
    query_title,
    redshift_words,
)
from app.verdicts import VerdictWords
from app.widgets.pictures import source_of
from app.widgets.verdict import draw_verdict
from indexer import Preview, Query, Searcher

__all__ = ["draw_query"]


def draw_query(
    searcher: Searcher, query: Query, preview: Preview | None, verdict: VerdictWords | None
) -> DeltaGenerator | None:
    """Draw the query's card: what it is, whether the index knows its like, how it was read.

    Returns
    -------
    The place for what the tokenizer understood of a spectrum; None where it has seen none.
    """
    title = query_title(query)
    with st.container(border=True, key="query_card", gap="small"):
        st.markdown("**Query**")
        source, alternative = source_of(preview, title)
        drawing = query.modality != "image"
        st.html(picture_html(source, alternative, drawing=drawing))
        st.html(
            query_html(
                {
                    "File": query.file_name,
                    "Release": query.release or "",
                    "Object": query.object_id,
                    "Kind": MODALITY_TITLES.get(query.modality, query.modality),
                    "RA, Dec": position_words(query.ra_deg, query.dec_deg),
                    "Redshift": redshift_words(query.redshift),
                    "Class": class_words(query.object_class),
                }
            )
        )
        draw_verdict(verdict)
        place = None if query.native is None else st.container()
        if query.key:
            _draw_same_source(searcher, str(query.key))
        said = {**query.assumptions, **({"answer": query.answered} if query.answered else {})}
        if said:
            read = "file" if query.key is None else "question"
            st.markdown(f"**How the {read} was read**")
            st.html(notes_html(said))
    return place


def _draw_same_source(searcher: Searcher, key: str) -> None:
    links = {page["label"]: safe_link(page["url"]) for page in searcher.object(key)["links"]}
    if any(links.values()):
        st.html(links_html(links))
    counterparts = [str(other) for other in searcher.counterparts(key) if str(other) != key]
    if counterparts:
        with st.container(gap="xxsmall", key="same_source"):
            st.caption("Same source, other observations")
            for row, other in enumerate(counterparts):
                st.button(
                    other,
                    key=f"same:{row}",
                    on_click=state.ask,
                    args=(other,),
                    type="tertiary",
                    icon=":material/swap_horiz:",
                    help="Ask with this observation of the same source",
                )
