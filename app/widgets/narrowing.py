"""Filters: controls for the common ones, text for all of them, and what is in force."""

from dataclasses import replace
from math import isfinite, nan

import streamlit as st

from app import resources, state
from app.address import MAX_WHERE
from app.narrowing import (
    ALIKE_BRIGHTNESS_MAG,
    ALIKE_REDSHIFT,
    alike,
    elsewhere,
    narrowing_of,
    without,
)
from app.presentation import MODALITY_TITLES, modalities_in
from app.widgets.problems import draw_problem
from indexer import Filters, Query, Searcher
from indexer.index_model import IndexInfo

__all__ = ["OPEN", "draw_conditions", "draw_narrowing"]

OPEN = "narrow_open"
LONGEST_SHOWN = 60
FOLD_HELP = "Hits within 2 arcsec of a better one are folded into it; as many places come."
OTHER_HELP = "Leave out every observation of the query's own source, not only the query itself."
CONE_HELP = "Right ascension, declination and radius: `150.1, 2.2, 5arcmin`."
MOC_HELP = "A coverage map (IVOA MOC) in its ASCII form: order/cells, such as `5/1-3 8 6/400`."


def draw_narrowing(searcher: Searcher, info: IndexInfo, query: Query | None) -> None:
    """Draw a panel of filters; closed, it costs nothing.

    Parameters
    ----------
    searcher, info
        Say what there is to choose from.
    query
        What "similar" is similar to, once there is one.
    """
    panel = st.expander(
        "Narrow: which objects may be found",
        icon=":material/filter_alt:",
        key=OPEN,
        on_change=state.touched,
    )
    refused = state.wrong_filters()
    if refused:
        draw_problem(f"That filter was not understood, and nothing was changed: {refused}")
    if not panel.open:
        return
    state.narrow()
    columns = searcher.columns()
    with panel:
        _draw_choices(searcher, info)
        _draw_numbers(columns)
        _draw_similar(searcher, query, columns)
        _draw_sky()
        _text(
            "Further conditions",
            "more",
            "seeing<1.5; object_class=GALAXY",
            f"Joined by a semicolon. Columns of this index: {', '.join(columns)}.",
        )
        with st.container(horizontal=True, gap="medium"):
            for title, key, explanation in (
                ("One hit a place", state.FOLD, FOLD_HELP),
                ("Other sources only", state.OTHER_SOURCES, OTHER_HELP),
            ):
                st.toggle(
                    title,
                    key=key,
                    help=explanation,
                    on_change=state.touched,
                    # The panel closes, the switch stays on.
                    persist_state="session",
                )


def draw_conditions(filters: Filters) -> None:
    """Draw what is in force; a click takes a condition away."""
    asked = state.current()
    switches = {state.FOLD: ("one hit a place", asked.fold)}
    switches[state.OTHER_SOURCES] = ("other sources only", asked.other_sources)
    if not filters and not any(on for _, on in switches.values()):
        return
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", key="conditions"):
        st.caption("Narrowed to", width="content")
        for each in filters.conditions:
            shown = each.text.replace("`", "'")
            if len(shown) > LONGEST_SHOWN:
                shown = f"{shown[:LONGEST_SHOWN]}…"
            _taken_away(f"`{shown}`", each.text, _drop, each.text)
        for key, (title, on) in switches.items():
            if on:
                _taken_away(title, key, _switch_off, key)


def _taken_away(label: str, name: str, action: object, argument: str) -> None:
    st.button(
        label,
        key=f"drop:{name}",
        icon=":material/close:",
        icon_position="right",
        help="Take this condition away",
        on_click=action,  # type: ignore[arg-type]
        args=(argument,),
    )


def _draw_choices(searcher: Searcher, info: IndexInfo) -> None:
    modalities = modalities_in(info)
    left, middle, right = st.columns(3, gap="small")
    with left:
        _several("Releases", "releases", list(info.releases), "every release")
    with middle:
        _several("Was also seen as", "modalities", modalities, "anything", MODALITY_TITLES)
    with right:
        index_id = info.index_id
        classes = resources.known_classes(searcher, index_id)
        _several("Class", "classes", classes, "every class", new=True)


def _several(
    label: str,
    name: str,
    options: object,
    placeholder: str,
    titles: dict[str, str] | None = None,
    *,
    new: bool = False,
) -> None:
    key = state.NARROW + name
    # What an address asks for may be none of what is known.
    offered = dict.fromkeys([*options, *st.session_state[key]])  # type: ignore[misc]
    st.multiselect(
        label,
        list(offered),
        format_func=lambda each: (titles or {}).get(each, each),
        key=key,
        placeholder=placeholder,
        accept_new_options=new,
        on_change=state.narrowed,
    )


def _draw_numbers(columns: dict[str, str]) -> None:
    ranges = [name for name in ("redshift", "magnitude") if name in columns]
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        for name in ranges:
            for end, word in (("low", "from"), ("high", "to")):
                _number(f"{name.capitalize()} {word}", f"{name}:{end}")
        _number("|b| at least (°)", "latitude_deg")
        if "redshift_ok" in columns:
            st.checkbox(
                "Good redshifts only",
                key=f"{state.NARROW}good_redshift",
                help="The survey's own warning is not set",
                on_change=state.narrowed,
            )


def _number(label: str, name: str) -> None:
    st.number_input(
        label,
        value=None,
        step=None,
        format="%g",
        key=state.NARROW + name,
        placeholder="any",
        width=130,
        on_change=state.narrowed,
    )


def _draw_similar(searcher: Searcher, query: Query | None, columns: dict[str, str]) -> None:
    redshift = nan if query is None else query.redshift
    known = {} if query is None or query.key is None else searcher.object(query.key)
    magnitude = known.get("magnitude")
    half_z = ALIKE_REDSHIFT * (1.0 + redshift) if isfinite(redshift) else nan
    offers = {
        "redshift": ("At similar redshift", alike(redshift, half_z), "± 0.02 (1 + z)"),
        "magnitude": (
            "At similar brightness",
            alike(nan if magnitude is None else float(magnitude), ALIKE_BRIGHTNESS_MAG),
            "± 0.5 mag; every release has its own band",
        ),
    }
    with st.container(horizontal=True, gap="small"):
        for name, (title, limits, explanation) in offers.items():
            if name in columns:
                st.button(
                    title,
                    key=f"alike:{name}",
                    disabled=limits is None,
                    help=explanation if limits else f"Needs a query whose {name} is known",
                    on_click=_set_range,
                    args=(name, limits),
                )
        placed = query is not None and query.has_position
        st.button(
            "Elsewhere on the sky",
            key="elsewhere",
            disabled=not placed,
            help="Nothing within 15 arcmin of the query: not from its brick, nor from what is near "
            "it on its exposures"
            if placed
            else "Needs a query whose position is known",
            on_click=_look_elsewhere,
            args=(query,),
        )


def _look_elsewhere(query: Query) -> None:
    state.touched()
    state.set_filters(elsewhere(state.filters(), query.ra_deg, query.dec_deg))


def _draw_sky() -> None:
    left, right = st.columns(2, gap="small")
    with left:
        _text("Around a position", "cone", "150.1, 2.2, 5arcmin", CONE_HELP)
    with right:
        _text("Inside a coverage map", "moc", "5/1-3 8 6/400", MOC_HELP)


def _text(label: str, name: str, placeholder: str, explanation: str) -> None:
    st.text_input(
        label,
        key=state.NARROW + name,
        placeholder=placeholder,
        max_chars=MAX_WHERE,
        help=explanation,
        on_change=state.narrowed,
    )


def _set_range(name: str, limits: tuple[float, float]) -> None:
    narrowing = narrowing_of(state.filters())
    state.take(
        replace(narrowing, redshift=limits)
        if name == "redshift"
        else replace(narrowing, magnitude=limits)
    )


def _drop(condition: str) -> None:
    state.set_filters(without(state.filters(), condition))
    state.touched()


def _switch_off(key: str) -> None:
    st.session_state[key] = False
    state.touched()
