"""The map of a space: like beside like; what is picked on it becomes a list."""

from functools import partial

import streamlit as st

from app import resources, saved
from app.address import Address
from app.markup import picture_html
from app.presentation import MODALITY_TITLES, SPACE_TITLES, facts_words
from app.settings import read_settings
from app.space_map import COLOURS, MOST_POINTS, KnownMap, map_figure, picked_places
from app.widgets.opening import open_page
from app.widgets.pictures import source_of
from indexer import Searcher

SEARCH_PAGE = "views/search.py"
SHOWN = 24
COLOUR_TITLES = {
    "class": "Class",
    "release": "Release",
    "redshift": "Redshift",
    "magnitude": "Magnitude",
}
CONFIG = {
    "displaylogo": False,
    "scrollZoom": True,
    "modeBarButtonsToRemove": ["autoScale2d", "toImage"],
}


def draw() -> None:
    """Draw the page."""
    searcher = open_page(read_settings())
    if searcher is None:
        return
    info = searcher.index.info
    st.markdown("#### Map of a space", anchors=False)
    spaces = [name for name in info.spaces if name != "shared"]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        space = st.segmented_control(
            "Space",
            spaces,
            default=spaces[0],
            format_func=_title,
            key="map_space",
            required=True,
        )
        colour = st.segmented_control(
            "Colour",
            COLOURS,
            default=COLOURS[0],
            format_func=COLOUR_TITLES.__getitem__,
            key="map_colour",
            required=True,
        )
    known = resources.map_of_space(searcher, info.index_id, str(space))
    if known is None:
        st.info("This index was built without maps; building it again makes them.")
        return
    st.caption(_words(known))
    event = st.plotly_chart(
        map_figure(known, str(colour)),
        key=f"map:{space}",
        config=CONFIG,
        on_select="rerun",
        selection_mode=("points", "box", "lasso"),
        alt=f"Map of {len(known.keys):,} objects in the space {_title(str(space))}; the list below "
        "holds those that were picked",
    )
    _draw_picked(searcher, known, picked_places(event, len(known.keys)))


def _title(space: str) -> str:
    return MODALITY_TITLES.get(space) or SPACE_TITLES.get(space, space)


def _words(known: KnownMap) -> str:
    places = known.places
    sample = f"{len(places):,} of {places.objects:,} objects"
    drawn = f", {MOST_POINTS:,} of them as points" if len(places) > MOST_POINTS else ""
    return (
        f"{sample} in two dimensions by {places.method}{drawn}; grey is how dense they lie. Like "
        "lies beside like; distances across the map mean nothing. Draw around some to list them."
    )


def _draw_picked(searcher: Searcher, known: KnownMap, picked: list[int]) -> None:
    keys = [known.keys[place] for place in picked]
    if not keys:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"##### {len(keys):,} picked", anchors=False, width="stretch")
        st.button(
            f"Save {min(len(keys), saved.MOST_SAVED):,}",
            key="map_save",
            icon=":material/bookmark_add:",
            on_click=_save,
            args=(tuple(keys[: saved.MOST_SAVED]),),
            help="Keep them on the page Saved, in this browser session",
        )
        st.download_button(
            "CSV",
            data=partial(saved.exported, searcher, dict.fromkeys(keys, ""), "csv"),
            file_name="picked.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
            key="map_csv",
        )
    grid = st.grid("auto", min_column_width=150, border=True, gap="small", key="picked")
    for key, place in zip(keys[:SHOWN], picked, strict=False):
        with grid.cell():
            preview = searcher.preview(key)
            source, alternative = source_of(preview, key)
            drawing = preview is not None and preview.kind != "image"
            st.html(picture_html(source, alternative, drawing=drawing))
            st.caption(
                facts_words(
                    float(known.redshift[place]),
                    known.classes[place],
                    float(known.magnitude[place]),
                )
                or "nothing known"
            )
            st.page_link(
                SEARCH_PAGE,
                label="Find similar",
                icon=":material/search:",
                query_params=Address(question=key).to_params(),
            )
    if len(keys) > SHOWN:
        st.caption(f"The first {SHOWN} are shown; the CSV file has all.")


def _save(keys: tuple[str, ...]) -> None:
    for key in keys:
        saved.save(key, saved.saved().get(key, ""))


draw()
