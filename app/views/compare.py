"""Two objects side by side; the address names them: `/compare?a=KEY&b=KEY`."""

import streamlit as st

from app.address import MAX_QUESTION
from app.comparison import differences
from app.markup import links_html, picture_html, query_html, safe_link
from app.presentation import (
    MODALITY_TITLES,
    class_words,
    position_words,
    query_title,
    redshift_words,
)
from app.settings import read_settings
from app.spectra_view import Named
from app.widgets.opening import open_page
from app.widgets.pictures import curve_of, source_of
from app.widgets.problems import draw_problem
from app.widgets.spectra import draw_spectra
from indexer import IndexerError, Query, Searcher

SIDES = {"a": "One object", "b": "Another object"}


def draw() -> None:
    """Draw both objects, their spectra over each other, and how alike they are."""
    searcher = open_page(read_settings())
    if searcher is None:
        return
    found = {}
    for column, (side, title) in zip(st.columns(2, gap="medium"), SIDES.items(), strict=True):
        with column:
            found[side] = _draw_side(searcher, side, title)
    one, other = found["a"], found["b"]
    if one is None or other is None:
        return
    st.markdown("##### Beside each other", anchors=False)
    cosines = {
        MODALITY_TITLES[name]: float(searcher.vector(one, name) @ searcher.vector(other, name))
        for name in one.modalities
        if name in other.modalities and name in searcher.index.info.spaces
    }
    st.html(query_html(differences(one, other, cosines)))
    first, second = (_spectrum(searcher, query) for query in (one, other))
    if first is not None and second is not None:
        draw_spectra(first, second, "two_spectra")


def _draw_side(searcher: Searcher, side: str, title: str) -> Query | None:
    text = st.text_input(
        title,
        key=side,
        bind="query-params",
        placeholder="Identifier, release:identifier, or position",
        max_chars=MAX_QUESTION,
        icon=":material/search:",
    )
    if not (text or "").strip():
        return None
    try:
        query = searcher.query_text(text.strip())
    except IndexerError as error:
        draw_problem(str(error))
        return None
    key = str(query.key)
    with st.container(border=True, gap="small", key=f"side_{side}"):
        known = searcher.object(key)
        for modality in query.modalities:
            preview = searcher.preview(key, modality)
            if preview is not None:
                source, alternative = source_of(preview, query_title(query))
                st.html(picture_html(source, alternative, drawing=modality != "image"))
        st.html(
            query_html(
                {
                    "Release": str(query.release),
                    "Object": key.partition(":")[2],
                    "RA, Dec": position_words(query.ra_deg, query.dec_deg),
                    "Redshift": redshift_words(query.redshift),
                    "Class": class_words(query.object_class),
                }
            )
        )
        links = {page["label"]: safe_link(page["url"]) for page in known["links"]}
        if links:
            st.html(links_html(links))
        st.page_link(
            "views/search.py",
            label="Find more like this",
            icon=":material/search:",
            query_params={"q": key},
        )
    return query


def _spectrum(searcher: Searcher, query: Query) -> Named | None:
    """Return the object's spectrum, or another of its source."""
    for key in (str(query.key), *searcher.counterparts(str(query.key))):
        curve = curve_of(searcher.preview(key, "spectrum"))
        if curve is not None:
            return Named(key, curve, query.redshift)
    return None


draw()
