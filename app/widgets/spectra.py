"""Two spectra in one figure: frame, lines and smoothing."""

from math import isfinite

import streamlit as st

from app.figures import FIGURE_CONFIG, spectra_figure
from app.spectra_view import SMOOTHINGS, Named, View

__all__ = ["draw_spectra"]

REST_HELP = "Each spectrum is divided by its own 1 + z."
LINES_HELP = (
    "Lines at the redshift of the neighbour, or of the query where the neighbour has none in its "
    "catalogue."
)


def draw_spectra(neighbour: Named | None, query: Named | None, key: str) -> None:
    """Draw one spectrum over another, with how they are looked at above.

    Parameters
    ----------
    neighbour, query
        One that is None is left out.
    key
        Of the figure; the controls are one for all figures of the session.
    """
    present = [each for each in (neighbour, query) if each is not None]
    known = [isfinite(each.redshift) for each in present]
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        rest = st.toggle(
            "Rest frame",
            key="spectra_rest",
            disabled=not all(known),
            help=REST_HELP if all(known) else "Needs a redshift of everything that is drawn.",
            persist_state="session",
        )
        lines = st.toggle(
            "Lines",
            key="spectra_lines",
            disabled=not any(known),
            help=LINES_HELP,
            persist_state="session",
        )
        smoothing = st.selectbox(
            "Smoothing",
            SMOOTHINGS,
            format_func=lambda bins: "not smoothed" if bins == 1 else f"mean of {bins} bins",
            key="spectra_smoothing",
            label_visibility="collapsed",
            width=170,
            persist_state="session",
        )
    view = View(rest and all(known), lines, smoothing)
    names = " with ".join(each.name for each in present)
    frame = "rest" if view.rest else "observed"
    st.plotly_chart(
        spectra_figure(neighbour, query, view),
        key=key,
        config=FIGURE_CONFIG,
        alt=f"Spectrum of {names} over it, flux over median against {frame} wavelength",
    )
