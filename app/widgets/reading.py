"""Fields in which a person states what a file does not say, or says wrongly."""

import streamlit as st

from app import state

__all__ = ["draw_reading"]

LONGEST = 60
"""Characters of a field."""

SURVEYS = {
    "image": {"legacysurvey": "Legacy Surveys", "hsc": "HSC"},
    "spectrum": {"sdss": "SDSS", "desi": "DESI"},
}


def draw_reading(kind: str) -> None:
    """Draw the fields of an image or a spectrum, folded."""
    with st.popover(
        "How to read it",
        icon=":material/tune:",
        type="tertiary",
        help="What you state here goes before what the file says of itself.",
        key=f"reading_{kind}",
    ):
        st.caption("Empty fields are read from the file; what was assumed stands with the answer.")
        named = SURVEYS[kind]
        st.selectbox(
            "Survey",
            list(named),
            index=None,
            format_func=lambda name: named[name],
            placeholder="as the file says",
            key=state.reading_key(kind, "survey"),
            on_change=state.touched,
        )
        if kind == "image":
            _draw_image()
        else:
            _draw_spectrum()


def _draw_image() -> None:
    st.number_input(
        "Pixel scale (arcsec)",
        min_value=0.01,
        max_value=100.0,
        value=None,
        step=0.001,
        format="%.4g",
        placeholder="as the file says",
        help="A colour picture does not say it: 0.262 where the viewer was asked for none.",
        key=state.reading_key("image", "pixel_scale"),
        on_change=state.touched,
    )
    _text("image", "bands", "Bands, one a plane", "such as g,r,z")
    st.number_input(
        "Zero point (AB magnitude of one count)",
        min_value=-50.0,
        max_value=100.0,
        value=None,
        step=0.1,
        format="%.4g",
        placeholder="as the file says",
        key=state.reading_key("image", "zero_point"),
        on_change=state.touched,
    )


def _draw_spectrum() -> None:
    _text("spectrum", "wavelength_unit", "Unit of wavelength", "such as nm or log10(Angstrom)")
    _text("spectrum", "flux_unit", "Unit of flux", "such as mJy or 1e-17 erg/s/cm2/Angstrom")
    st.selectbox(
        "Wavelengths in",
        ["vacuum", "air"],
        index=None,
        placeholder="as the file says",
        key=state.reading_key("spectrum", "medium"),
        on_change=state.touched,
    )
    st.text_input(
        "Object in the file",
        key=state.CHOSEN,
        placeholder="only where a file holds several",
        max_chars=LONGEST,
        on_change=state.touched,
    )


def _text(kind: str, name: str, label: str, placeholder: str) -> None:
    st.text_input(
        label,
        key=state.reading_key(kind, name),
        placeholder=placeholder,
        max_chars=LONGEST,
        on_change=state.touched,
    )
