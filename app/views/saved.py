"""What a person saved: tags, files, and a way back."""

from functools import partial

import streamlit as st

from app import saved
from app.address import Address
from app.markup import picture_html
from app.presentation import facts_words
from app.settings import read_settings
from app.table_files import TABLES
from app.widgets.more import draw_more
from app.widgets.opening import open_page
from app.widgets.pictures import source_of
from app.widgets.problems import draw_problem
from indexer import IndexerError, Searcher

SEARCH_PAGE = "views/search.py"
FIRST = 20
COUNT = "saved_count"
REFUSED = "saved_refused"
GENERATION = "saved_generation"
MAX_UPLOAD_MB = 4
WHAT = (
    "Kept in this browser session only: nothing is stored on the server. Take the list away before "
    "you leave; the CSV file brings it back."
)


def draw() -> None:
    """Draw the page."""
    searcher = open_page(read_settings())
    if searcher is None:
        return
    objects = saved.saved()
    st.markdown(f"#### Saved objects: {len(objects)}", anchors=False)
    st.caption(WHAT)
    if objects:
        with st.container(horizontal=True, gap="xsmall"):
            for each in TABLES:
                st.download_button(
                    each.title,
                    data=partial(saved.exported, searcher, objects, each.form),
                    file_name=f"saved.{each.suffix}",
                    mime=each.media_type,
                    on_click="ignore",
                    icon=":material/download:",
                    key=f"saved:{each.suffix}",
                )
        shown = min(len(objects), int(st.session_state.get(COUNT, FIRST)))
        for key in list(objects)[::-1][:shown]:
            _draw_object(searcher, key)
        if shown < len(objects):
            draw_more(
                f"Show {min(FIRST, len(objects) - shown)} more of {len(objects) - shown}",
                "saved_more",
                _show_more,
                shown,
            )
    else:
        st.markdown("“Save” on a neighbour's card puts it here.")
    _draw_bring_back()


def _show_more(shown: int) -> None:
    st.session_state[COUNT] = shown + FIRST


def _draw_object(searcher: Searcher, key: str) -> None:
    try:
        known, preview = searcher.object(key), searcher.preview(key)
    except IndexerError:
        known, preview = {}, None
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", border=True, key=f"row:{key}"
    ):
        if preview is not None:
            source, alternative = source_of(preview, key)
            with st.container(width=90 if preview.kind == "image" else 180):
                st.html(picture_html(source, alternative, drawing=preview.kind != "image"))
        with st.container(width="stretch", gap=None):
            st.markdown(f"`{key.replace('`', ' ')}`")
            if known:
                facts = (known.get(name) for name in ("redshift", "object_class", "magnitude"))
                redshift, object_class, magnitude = facts
                st.caption(
                    facts_words(
                        float("nan") if redshift is None else float(redshift),
                        str(object_class or ""),
                        float("nan") if magnitude is None else float(magnitude),
                    )
                )
            else:
                st.caption("Not in this index.")
        field = f"tag:{key}"
        st.text_input(
            "Tag",
            value=saved.saved().get(key, ""),
            key=field,
            max_chars=saved.LONGEST_TAG,
            placeholder="tag",
            label_visibility="collapsed",
            on_change=_tagged,
            args=(key, field),
            width=200,
        )
        st.page_link(
            SEARCH_PAGE,
            label="Find similar",
            icon=":material/search:",
            query_params=Address(question=key).to_params(),
            disabled=not known,
        )
        st.button(
            "Remove",
            key=f"forget:{key}",
            icon=":material/close:",
            type="tertiary",
            on_click=saved.forget,
            args=(key,),
        )


def _tagged(key: str, field: str) -> None:
    saved.tag(key, str(st.session_state.get(field) or ""))


def _draw_bring_back() -> None:
    refused = st.session_state.get(REFUSED, "")
    with st.expander("Bring a list back", icon=":material/upload_file:", expanded=bool(refused)):
        if refused:
            draw_problem(refused)
        st.file_uploader(
            "CSV file of saved objects",
            type=["csv"],
            key=_uploader(),
            max_upload_size=MAX_UPLOAD_MB,
            on_change=_bring_back,
        )


def _uploader() -> str:
    # A new key empties it: the same file can be brought once more.
    return f"saved_file_{st.session_state.get(GENERATION, 0)}"


def _bring_back() -> None:
    upload = st.session_state.get(_uploader())
    if upload is None:
        return
    try:
        saved.add_list(upload.getvalue())
        st.session_state[REFUSED] = ""
    except IndexerError as error:
        st.session_state[REFUSED] = str(error)
    st.session_state[GENERATION] = st.session_state.get(GENERATION, 0) + 1


draw()
