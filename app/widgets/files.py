"""The two uploads: an image file, or a spectrum file."""

import streamlit as st

from app import state
from app.address import MAX_QUESTION

__all__ = ["MAX_UPLOAD_MB", "draw_uploads"]

MAX_UPLOAD_MB = 64
IMAGE_HELP = (
    "A FITS cut-out of at least 96 × 96 pixels around one object, bands as planes or extensions: "
    "Legacy Surveys griz in nanomaggies, or HSC grizy."
)
SPECTRUM_HELP = (
    "SDSS spec, DESI coadd or spectra, a table with wavelength and flux (FITS, ECSV, VOTable, CSV, "
    "ASCII), a 1-D FITS spectrum, or Gaia XP continuous coefficients."
)


def draw_uploads(*, start: bool, refused: bool) -> None:
    """Draw both uploaders: open on the start page and after a refusal, folded beside results."""
    if state.FILES_OPEN not in st.session_state or refused:
        st.session_state[state.FILES_OPEN] = start or refused
    with st.expander(
        "Ask with a file: an image or a spectrum",
        icon=":material/upload_file:",
        key=state.FILES_OPEN,
        on_change=state.touched,
    ):
        left, right = st.columns(2)
        with left:
            st.file_uploader(
                "Image (FITS)",
                type=["fits", "fit", "fts", "fz", "gz"],
                key=state.uploader_key("image"),
                help=IMAGE_HELP,
                max_upload_size=MAX_UPLOAD_MB,
                on_change=state.file_changed,
                args=("image",),
            )
        with right:
            st.file_uploader(
                "Spectrum (FITS, table or text)",
                key=state.uploader_key("spectrum"),
                help=SPECTRUM_HELP,
                max_upload_size=MAX_UPLOAD_MB,
                on_change=state.file_changed,
                args=("spectrum",),
            )
            st.text_input(
                "Object in the file",
                key=state.CHOSEN,
                placeholder="only where a file holds several",
                max_chars=MAX_QUESTION,
                on_change=state.touched,
            )
