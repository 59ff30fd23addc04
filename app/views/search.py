"""The search page."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import resources, state
from app.address import SAME, Address
from app.presentation import headline, index_sentence, modalities_in
from app.settings import Settings, read_settings
from app.verdicts import VerdictWords, verdict_of
from app.widgets.bridge import draw_bridge
from app.widgets.downloads import draw_downloads
from app.widgets.examples import draw_examples, joined
from app.widgets.files import draw_uploads
from app.widgets.glance import draw_glance
from app.widgets.narrowing import draw_conditions, draw_narrowing
from app.widgets.neighbours import draw_neighbours
from app.widgets.opening import open_page
from app.widgets.pictures import overlay_of
from app.widgets.problems import (
    draw_ambiguous,
    draw_nothing_found,
    draw_problem,
    draw_remarks,
)
from app.widgets.properties import draw_properties
from app.widgets.query_card import draw_query
from app.widgets.question import draw_options, draw_search_box
from app.widgets.reconstruction import draw_reconstruction
from app.widgets.starters import draw_starters
from app.widgets.verdict import draw_approximate, draw_verdict_warning
from indexer import (
    AmbiguousError,
    Hits,
    IndexerError,
    Preview,
    Query,
    Searcher,
    SearchOptions,
    SeveralObjectsError,
)

BODY = "body"
WHAT_TO_ASK = (
    "Ask with a survey's own identifier (alone, or as release:identifier), or with a position such "
    "as 150.116 2.205 or 10:00:27.8 +02:12:18."
)


def draw() -> None:
    """Draw the page for the question in the address and the controls."""
    settings = read_settings()
    searcher = open_page(settings)
    if searcher is None:
        return
    remarks = state.restore()
    file = state.asked_file()
    asked = state.current()
    info = searcher.index.info
    draw_search_box(names=settings.look_up_names)
    start = not asked.question and file is None
    left, right = st.columns([1, 1.1] if start else [1.6, 1], gap="medium")
    query, refusal = None, None
    spaces: tuple[str, ...] = ()
    try:
        if file is not None:
            query = resources.query_of_file(searcher, info.index_id, file)
        elif asked.question:
            query = searcher.query_text(asked.question)
    except IndexerError as error:
        refusal = error
    if query is not None:
        spaces = searcher.spaces(query)
        query, more = _in_space(searcher, query, asked.space)
        remarks = (*remarks, *more)
    with right:
        draw_uploads(start=start, refused=refusal is not None and file is not None)
    draw_remarks(remarks)
    with left:
        draw_options(modalities_in(info), query.modality if query else None, spaces)
        draw_narrowing(searcher, info, query)
        if query is None:
            st.markdown(index_sentence(info))
    state.publish(state.current())
    with _body("start" if query is None else "answer"):
        if query is not None:
            _answer(searcher, query, settings)
        elif isinstance(refusal, AmbiguousError):
            draw_ambiguous(str(refusal), refusal.candidates)
        elif isinstance(refusal, SeveralObjectsError):
            draw_ambiguous(str(refusal), refusal.candidates, state.choose)
        else:
            if refusal is not None:
                draw_problem(str(refusal), WHAT_TO_ASK if file is None else "")
            draw_starters(searcher)


def _body(kind: str) -> DeltaGenerator:
    """Return the part below the question: emptied first where it becomes another page.

    Otherwise the old examples would stay below a new answer for as long as that is drawn.
    """
    before, st.session_state[BODY] = st.session_state.get(BODY), kind
    return st.container() if before == kind else st.empty().container()


def _in_space(searcher: Searcher, query: Query, space: str) -> tuple[Query, tuple[str, ...]]:
    """Return the query in the space that was asked for, or as it is with a remark.

    A query without a spectrum has nothing to choose, as one of its own kind crosses no bridge.
    """
    if space in (Address().space, query.home) or "spectrum" not in query.modalities:
        return query, ()
    try:
        return searcher.in_space(query, space), ()
    except IndexerError as error:
        return query, (f"The address asks in “{space}”, but {error}. AION-1 answers instead.",)


def _answer(searcher: Searcher, query: Query, settings: Settings) -> None:
    asked, file = state.current(), state.asked_file()
    to = None if asked.to == SAME else asked.to
    preview = query.preview if query.key is None else searcher.preview(query.key, query.modality)
    hits, refusal = None, ""
    together, remarks = joined(searcher, query, asked)
    try:
        hits = searcher.search(
            together,
            SearchOptions(
                k=asked.k,
                to=to,
                bridge=asked.bridge,
                exclude_source=asked.other_sources,
                filters=state.filters(),
                fold_duplicates=asked.fold,
            ),
        )
    except IndexerError as error:
        refusal = str(error)
    verdict = None if hits is None else verdict_of(query, hits)
    left, right = st.columns([1, 3.4], gap="medium")
    with left:
        place = draw_query(searcher, query, preview, verdict)
    with right:
        draw_remarks(remarks)
        draw_examples(asked)
        draw_conditions(state.filters())
        if hits is None:
            draw_problem(refusal)
        else:
            _draw_hits(searcher, query, hits, preview, verdict, settings)
    if place is not None and file is not None:
        # Last of all: a model is asked for it.
        with place:
            draw_reconstruction(searcher, query, file)


def _draw_hits(
    searcher: Searcher,
    query: Query,
    hits: Hits,
    preview: Preview | None,
    verdict: VerdictWords | None,
    settings: Settings,
) -> None:
    file = state.asked_file()
    with st.container(horizontal=True, vertical_alignment="center", key="headline"):
        title = headline(query, hits, state.current().to)
        st.markdown(f"#### {title}", anchors=False, width="stretch")
        if len(hits):
            draw_bridge(searcher, query, hits)
            draw_downloads(searcher, hits)
    draw_approximate(query)
    draw_verdict_warning(verdict, of_file=file is not None)
    # Above the neighbours, but drawn after them: an open panel must not hold them up.
    properties = st.container()
    if len(hits):
        draw_glance(query, hits)
        modality = str(hits.modality[0])
        draw_neighbours(searcher, query, hits, overlay_of(searcher, query, preview, modality))
    else:
        draw_nothing_found()
    with properties:
        draw_properties(searcher, query, verdict, file, settings.labels)


draw()
