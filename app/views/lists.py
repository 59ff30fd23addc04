"""A list of objects in, their neighbours out."""

import time

import streamlit as st

from app.lists import (
    FORMATS,
    MOST_OBJECTS,
    ListAnswer,
    ListQuestion,
    identifiers_of,
    neighbours_of_list,
)
from app.markup import table_html
from app.presentation import MODALITY_TITLES, modalities_in
from app.settings import read_settings
from app.table_files import TABLES
from app.widgets.opening import open_page
from app.widgets.problems import draw_problem
from indexer import IndexerError, Searcher, SearchOptions

MAX_UPLOAD_MB = 16
MOST_NEIGHBOURS = 100
SHOWN_REFUSED = 50
ANSWER = "list_answer"
SAME_KIND = "Same kind"
WHAT = f"""
A table (CSV, ECSV, FITS, VOTable, Parquet) with a column of identifiers, or a text with one a
line: keys such as `demo-desi:39627…`, a survey's own identifiers, `plate-mjd-fiber`. Up to
{MOST_OBJECTS:,} objects; longer lists go to `python -m indexer export`.
"""


def draw() -> None:
    """Draw the page."""
    searcher = open_page(read_settings())
    if searcher is None:
        return
    st.markdown("#### Neighbours of a list", anchors=False)
    st.markdown(WHAT)
    upload = st.file_uploader(
        "List of objects",
        type=["csv", "ecsv", "fits", "fit", "vot", "votable", "xml", "parquet", "txt"],
        key="list_file",
        max_upload_size=MAX_UPLOAD_MB,
        on_change=_forget,
    )
    if upload is None:
        return
    asked = _draw_options(searcher)
    content = upload.getvalue()
    try:
        identifiers = identifiers_of(upload.name, content, asked.column)
    except IndexerError as error:
        draw_problem(str(error))
        return
    st.caption(f"{len(identifiers):,} identifiers, the first is {identifiers[0] or '(empty)'!r}.")
    if st.button("Find the neighbours", type="primary", key="list_go", icon=":material/search:"):
        st.session_state[ANSWER] = _answered(searcher, upload.name, content, identifiers, asked)
    answer = st.session_state.get(ANSWER)
    if isinstance(answer, ListAnswer):
        _draw_answer(answer)
    elif isinstance(answer, str):
        draw_problem(answer)


def _forget() -> None:
    st.session_state.pop(ANSWER, None)


def _draw_options(searcher: Searcher) -> ListQuestion:
    with st.container(
        horizontal=True, vertical_alignment="bottom", gap="small", key="list_options"
    ):
        to = st.selectbox(
            "Find",
            [SAME_KIND, *modalities_in(searcher.index.info)],
            format_func=lambda name: MODALITY_TITLES.get(name, name),
            key="list_to",
            on_change=_forget,
            width=180,
        )
        k = st.number_input(
            "Neighbours of each",
            1,
            MOST_NEIGHBOURS,
            10,
            key="list_k",
            on_change=_forget,
            width=150,
        )
        written = st.selectbox(
            "Write", list(FORMATS), key="list_format", on_change=_forget, width=130
        )
        column = st.text_input(
            "Column",
            key="list_column",
            placeholder="chosen by its name",
            max_chars=100,
            on_change=_forget,
            width=180,
        )
        others = st.toggle(
            "Leave out the object's own source",
            key="list_others",
            help="Every observation of it, not only the one that is asked with.",
            on_change=_forget,
        )
    return ListQuestion(
        SearchOptions(k=int(k), to=None if to == SAME_KIND else to, exclude_source=bool(others)),
        FORMATS[written],
        column.strip() or None,
    )


def _answered(
    searcher: Searcher,
    name: str,
    content: bytes,
    identifiers: list[str],
    asked: ListQuestion,
) -> ListAnswer | str:
    """Search, and show how far it is; return the reason where it cannot be done."""
    bar, began = st.progress(0.0, "Searching …"), time.monotonic()

    def shown(done: int, total: int) -> None:
        taken = max(time.monotonic() - began, 1e-3)
        left = (total - done) * taken / max(done, 1)
        bar.progress(
            done / max(total, 1),
            f"{done:,} of {total:,} objects, {done / taken:,.0f} a second, {left:.0f} s left",
        )

    try:
        return neighbours_of_list(searcher, name, content, identifiers, asked, shown)
    except IndexerError as error:
        return str(error)
    finally:
        bar.empty()


def _draw_answer(answer: ListAnswer) -> None:
    done = answer.summary
    words = (
        f"{done.read:,} read = {done.answered:,} answered + {done.refused:,} refused; "
        f"{done.rows:,} neighbours."
    )
    (st.success if done.answered else st.warning)(words, icon=":material/done:")
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "The neighbours",
            answer.table,
            f"neighbours.{answer.suffix}",
            next(kind.media_type for kind in TABLES if kind.suffix == answer.suffix),
            on_click="ignore",
            icon=":material/download:",
            key="list_download",
        )
        if answer.refused:
            st.download_button(
                "The refused, with reasons",
                answer.refused_csv,
                "neighbours.refused.csv",
                "text/csv",
                on_click="ignore",
                icon=":material/download:",
                key="list_refused",
            )
    if answer.refused:
        rows = [
            {"Row": f"{number:,}", "Identifier": identifier, "Reason": reason}
            for number, identifier, reason in answer.refused[:SHOWN_REFUSED]
        ]
        more = len(answer.refused) - len(rows)
        st.html(table_html("Refused" if not more else f"Refused, the first {len(rows)}", rows))


draw()
