"""Sources whose picture and spectrum tell different stories, the most discordant first."""

from functools import partial
from math import isnan

import streamlit as st

from app import resources
from app.markup import picture_html
from app.presentation import class_words, redshift_words
from app.settings import read_settings
from app.table_files import JSON, TABLES
from app.widgets.more import draw_more
from app.widgets.opening import open_page
from app.widgets.pictures import source_of
from app.widgets.problems import draw_problem
from indexer import IndexerError, Searcher
from indexer.discordant import Discordants
from indexer.discordant_table import render_discordant

FIRST = 12
MOST = 60
COUNT = "discordant_count"
WHAT = """
Of every source with a picture and a spectrum: its neighbours in pictures beside its neighbours in
spectra. The score is 0 where both agree and 1 where the picture could belong to another source.
Blends, lenses, active nuclei and wrong redshifts are among the first; so is whatever a model sees
badly. How far this brings them to the top is measured in docs/quality.md.
"""
FORMATS = ("csv", "votable")
COMPARE_PAGE = "views/compare.py"


def draw() -> None:
    """Draw the page."""
    searcher = open_page(read_settings())
    if searcher is None:
        return
    st.markdown("#### Discordant sources", anchors=False)
    st.markdown(WHAT)
    try:
        found = resources.discordants(searcher, searcher.index.info.index_id)
    except IndexerError as error:
        draw_problem(str(error))
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.caption(f"{len(found):,} sources were compared.", width="stretch")
        for each in (*(kind for kind in TABLES if kind.form in FORMATS), JSON):
            st.download_button(
                each.title,
                data=partial(render_discordant, found.first(1_000), each.form),
                file_name=f"discordant.{each.suffix}",
                mime=each.media_type,
                on_click="ignore",
                icon=":material/download:",
                key=f"discordant:{each.suffix}",
                help="The thousand most discordant",
            )
    count = min(int(st.session_state.get(COUNT, FIRST)), len(found))
    for place in range(count):
        _draw_source(searcher, found, place)
    if count < min(MOST, len(found)):
        draw_more(f"Show {FIRST} more", "discordant_more", _show_more, count)


def _show_more(count: int) -> None:
    st.session_state[COUNT] = min(MOST, count + FIRST)


def _draw_source(searcher: Searcher, found: Discordants, place: int) -> None:
    image, spectrum = str(found.image_key[place]), str(found.spectrum_key[place])
    with st.container(border=True, key=f"source:{place}"):
        picture, drawing, words = st.columns([1, 2, 3], gap="medium", vertical_alignment="center")
        with picture:
            source, alternative = source_of(searcher.preview(image, "image"), image)
            st.html(picture_html(source, alternative, drawing=False))
        with drawing:
            source, alternative = source_of(searcher.preview(spectrum, "spectrum"), spectrum)
            st.html(picture_html(source, alternative, drawing=True))
        with words:
            st.markdown(f"**{place + 1}.** score **{found.score[place]:.3f}**")
            st.markdown(_story(found, place))
            with st.container(horizontal=True, gap="small"):
                st.page_link(
                    COMPARE_PAGE,
                    label="Both, side by side",
                    icon=":material/compare_arrows:",
                    query_params={"a": image, "b": spectrum},
                )


def _story(found: Discordants, place: int) -> str:
    """Return what the source and both kinds of neighbours are, in Markdown."""
    lines = [
        _line("Catalogue", found.redshift[place], found.object_class[place]),
        _line("Looks like", found.image_redshift[place], found.image_class[place]),
        _line("Its spectrum is like", found.spectrum_redshift[place], found.spectrum_class[place]),
        f"Shared neighbours: {found.shared[place]:.0%}",
    ]
    return "  \n".join(lines)


def _line(title: str, redshift: float, object_class: str) -> str:
    known = [] if isnan(redshift) else [f"z {redshift_words(float(redshift))}"]
    known += [class_words(str(object_class))] if str(object_class) else []
    return f"{title}: {', '.join(known) or 'unknown'}"


draw()
