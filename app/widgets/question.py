"""The search box and what goes with it: what to find, how many, over which bridge."""

from collections.abc import Mapping, Sequence

import streamlit as st

from app import state
from app.address import BRIDGES, MAX_NEIGHBOURS, MAX_QUESTION, SAME, TARGETS
from app.presentation import BRIDGE_TITLES, MODALITY_TITLES, SPACE_TITLES

__all__ = ["draw_options", "draw_search_box"]

PLACEHOLDER = "Identifier, release:identifier, or position such as 150.116 2.205"
BOX_HELP = """
**Identifier**: a survey's own number or name (`39633345008634465`, `266-51630-1`,
`Gaia DR3 1666767135588491904`), alone or after its release (`demo-desi:…`).

**Position**: two decimals are degrees (`150.116 2.205`); three fields are hours, minutes,
seconds (`10:00:27.8 +02:12:18`).
"""
NAMES_HELP = """
**Name**: the object nearest to where something of that name lies (`M 51`), as Sesame at the CDS
knows it.
"""
BRIDGE_HELP = """
How a query reaches another modality.

**Linked** goes through sources seen in both: neighbours in the query's own modality that also
have the one you ask for.

**Aligned** compares both in a shared space, fitted on pairs of observations of the same source.

**Auto** takes aligned where the index has it, else linked.
"""

MODEL_HELP = """
Which model's view of the spectrum is compared.

**AION-1** sees 3500 to 10462 Å on a fixed grid; pictures and Gaia spectra can be reached from it
over either bridge.

**Spectral tokenizer** (space `spectrum_native`) sees all pixels on their own grid; from it only
links lead to other kinds.
"""


def draw_search_box(*, names: bool) -> None:
    """Draw the one box that takes keys, identifiers and positions; names, where these may be."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="ask"):
        st.text_input(
            "Identifier or position",
            key=state.QUESTION,
            placeholder=PLACEHOLDER,
            max_chars=MAX_QUESTION,
            help=BOX_HELP + (NAMES_HELP if names else ""),
            icon=":material/search:",
            on_change=state.question_changed,
        )
        st.button("Search", key="search", type="primary", on_click=state.question_changed)


def draw_options(modalities: Sequence[str], own: str | None, spaces: Sequence[str]) -> None:
    """Draw what to find, how many, the bridge where one is crossed, the model where two answer.

    Parameters
    ----------
    modalities
        What the index holds.
    own
        Modality of the query, once there is one.
    spaces
        Where its spectrum can be compared.
    """
    targets = [SAME, *(name for name in TARGETS[1:] if name in modalities)]
    with st.container(horizontal=True, vertical_alignment="top", gap="small", key="options"):
        if st.session_state.get(state.TARGET) not in targets:
            st.session_state[state.TARGET] = SAME
        st.segmented_control(
            "Find",
            targets,
            format_func=lambda name: "Same kind" if name == SAME else MODALITY_TITLES[name],
            key=state.TARGET,
            required=True,
            on_change=state.touched,
        )
        st.number_input(
            "Neighbours",
            min_value=1,
            max_value=MAX_NEIGHBOURS,
            step=1,
            key=state.COUNT,
            width=130,
            on_change=state.touched,
        )
        target = st.session_state.get(state.TARGET, SAME)
        if target not in (SAME, own):
            _choice("Bridge", BRIDGES, BRIDGE_TITLES, state.BRIDGE, BRIDGE_HELP)
        if len(spaces) > 1:
            _choice("Spectrum seen by", spaces, SPACE_TITLES, state.SPACE, MODEL_HELP)


def _choice(
    label: str, options: Sequence[str], titles: Mapping[str, str], key: str, explanation: str
) -> None:
    """Draw a control of which one option is always chosen, and stays so from page to page."""
    st.segmented_control(
        label,
        options,
        format_func=titles.__getitem__,
        key=key,
        required=True,
        help=explanation,
        on_change=state.touched,
        persist_state="session",
    )
