"""What the tokenizer understood of an uploaded spectrum: given back, over the spectrum itself."""

import streamlit as st

from app import resources
from app.figures import SMALL_CONFIG, reconstruction_figure
from app.markup import reconstruction_key_html
from app.reconstructions import LONG_PX, caption, drawn, ignored_spans
from app.state import FileAsked
from app.widgets.problems import draw_problem
from indexer import IndexerError, Query, Searcher

__all__ = ["draw_reconstruction"]


@st.fragment
def draw_reconstruction(searcher: Searcher, query: Query, file: FileAsked) -> None:
    """Draw a panel that gives the spectrum back; of a long one only when it is opened.

    Parameters
    ----------
    query
        An uploaded file that the tokenizer has seen.
    file
        That file.
    """
    assert query.native is not None
    long = query.native.flux.size > LONG_PX
    panel = st.expander(
        "**What the tokenizer understood**" + (" (takes some seconds)" if long else ""),
        expanded=not long,
        # A key for each spectrum: a panel that was opened for one does not hold up the next.
        key=f"understood-{query.sha256}-{query.object_id}",
        on_change="rerun",
        type="compact",
    )
    if not panel.open:
        return
    with panel:
        try:
            told = resources.reconstruction_of(searcher, query, searcher.index.info.index_id, file)
        except IndexerError as error:
            draw_problem(str(error))
            return
        shown = drawn(told)
        spans = ignored_spans(told)
        st.html(reconstruction_key_html(ignored=len(spans) > 0))
        st.plotly_chart(
            reconstruction_figure(shown, spans),
            key="reconstruction",
            config=SMALL_CONFIG,
            alt=f"The spectrum of {query.file_name} with what the tokenizer gives back over it, "
            "flux over median against wavelength; ignored pixels are shaded",
        )
        st.caption(caption(told, shown.averaged))
