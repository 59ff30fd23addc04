"""The start page: objects to begin with."""

from collections.abc import Sequence

import streamlit as st

from app import resources, state
from app.markup import picture_html, releases_html
from app.presentation import class_words, encoder_words, release_facts, releases_in_order
from app.widgets.pictures import source_of
from indexer import Searcher

__all__ = ["draw_starters"]

EXAMPLE_SEED = "example_seed"
EXAMPLE_CLASS = "example_class"
MOST_CLASSES = 8


def draw_starters(searcher: Searcher) -> None:
    """Draw examples of every release, of any class or of one, and what made the vectors.

    Parameters
    ----------
    searcher
        Gives keys, titles and previews.
    """
    info = searcher.index.info
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("##### Start from one of these", anchors=False, width="content")
        chosen = _draw_classes(resources.known_classes(searcher, info.index_id))
        st.button(
            "Show others",
            key="others",
            icon=":material/refresh:",
            type="tertiary",
            on_click=_show_others,
        )
    seed = st.session_state.get(EXAMPLE_SEED, 0)
    examples = resources.examples(searcher, info.index_id, seed, chosen)
    if not examples:
        st.caption(f"None of the objects that were drawn is a {class_words(chosen)}.")
    for release in releases_in_order(info):
        keys = examples.get(release, ())
        if chosen and not keys:
            continue
        st.html(releases_html({release: release_facts(info.releases[release])}))
        pictures = "image" in info.releases[release].vectors
        # Drawings need more room for their axes than pictures do.
        columns, width = (6, 130) if pictures else (4, 220)
        grid = st.grid(columns, min_column_width=width, gap="small", key=f"examples-{release}")
        for key in keys[:columns]:
            with grid.cell():
                _draw_example(searcher, key)
    st.caption(f"Encoder: {encoder_words(info)}. Index of {info.created[:10]}.")


def _draw_classes(classes: Sequence[str]) -> str:
    """Draw what the examples may be; return the class, empty for any."""
    named = [each for each in classes if each][:MOST_CLASSES]
    if not named:
        return ""
    chosen = st.pills(
        "Class",
        named,
        format_func=class_words,
        key=EXAMPLE_CLASS,
        label_visibility="collapsed",
        on_change=state.touched,
        width="content",
    )
    return str(chosen or "")


def _draw_example(searcher: Searcher, key: str) -> None:
    preview = searcher.preview(key)
    source, alternative = source_of(preview, key)
    drawing = preview is not None and preview.kind != "image"
    st.html(picture_html(source, alternative, drawing=drawing))
    st.button(
        "Find similar",
        key=f"start:{key}",
        on_click=state.ask,
        args=(key,),
        width="stretch",
        help=key,
    )


def _show_others() -> None:
    st.session_state[EXAMPLE_SEED] = st.session_state.get(EXAMPLE_SEED, 0) + 1
    state.touched()
