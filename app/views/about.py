"""What the index holds: releases, sky, encoder, what was measured, what was refused, licences."""

import streamlit as st

from app import resources
from app.contents import encoder_facts, recall_rows, release_rows
from app.figures import BARE_CONFIG
from app.list_figures import coverage_figure
from app.markup import query_html, table_html
from app.presentation import demonstration_words, index_sentence
from app.settings import read_settings
from app.widgets.opening import open_page
from indexer import Searcher
from indexer.citations import acknowledgements, bibtex
from indexer.coverage import COVERAGE_ORDER

EVERYTHING = "Every release"


def draw() -> None:
    """Draw the page."""
    searcher = open_page(read_settings())
    if searcher is None:
        return
    index = searcher.index
    info = index.info
    demonstration = demonstration_words(info)
    if demonstration:
        st.warning(f"This is a demonstration. {demonstration}", icon=":material/science:")
    st.markdown(f"#### {info.manifest.title or info.name}", anchors=False)
    st.markdown(index_sentence(info))
    for note in info.notes:
        st.caption(note)
    st.html(table_html("Releases", release_rows(info)))
    _draw_sky(searcher)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("##### Encoder and index", anchors=False)
        st.html(query_html(encoder_facts(info)))
    with right:
        st.markdown("##### How well the bridges work", anchors=False)
        rows = recall_rows(index.heads_facts)
        if rows:
            st.html(table_html("Recall at 10 on sources that no head has seen", rows))
        else:
            st.caption("This index has no shared space, or holds too few linked sources back.")
    _draw_rejects(searcher)
    _draw_citations(searcher)


def _draw_sky(searcher: Searcher) -> None:
    info = searcher.index.info
    st.markdown("##### Where on the sky", anchors=False)
    release = st.selectbox(
        "Release",
        [EVERYTHING, *info.releases],
        key="coverage_release",
        label_visibility="collapsed",
        width=260,
    )
    chosen = () if release == EVERYTHING else (release,)
    found = resources.coverage_of(searcher, info.index_id, chosen)
    st.plotly_chart(
        coverage_figure(found.ra_deg, found.dec_deg, found.counts),
        key="coverage",
        config=BARE_CONFIG,
        alt=f"Map of the sky: {int(found.counts.sum()):,} objects in {len(found.cells):,} HEALPix "
        f"cells of order {COVERAGE_ORDER}",
    )


def _draw_rejects(searcher: Searcher) -> None:
    st.markdown("##### What was read and not indexed", anchors=False)
    rows = [
        {"Release": name, "Reason": reason, "Objects": f"{count:,}"}
        for name, reasons in resources.rejects_of(searcher, searcher.index.info.index_id).items()
        for reason, count in reasons.items()
    ]
    if rows:
        st.html(table_html("Rejects by reason", rows))
    else:
        st.caption("Nothing: everything that was read is in the index.")


def _draw_citations(searcher: Searcher) -> None:
    info = searcher.index.info
    st.markdown("##### Licences and whom to thank", anchors=False)
    st.text(acknowledgements(info, list(info.releases)))
    with st.expander("BibTeX"):
        st.code(bibtex(info, list(info.releases)), language=None)


draw()
