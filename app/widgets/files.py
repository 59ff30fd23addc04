"""The two uploads: an image file, or a spectrum file."""

import streamlit as st

from app import state
from app.widgets.reading import draw_reading

__all__ = ["MAX_UPLOAD_MB", "draw_uploads"]

MAX_UPLOAD_MB = 64
IMAGE_HELP = (
    "A FITS cut-out of at least 96 × 96 pixels around one object, bands as planes, extensions or "
    "files: Legacy Surveys griz in nanomaggies, or HSC grizy. Or a picture of the Legacy Surveys "
    "viewer: state its pixel scale; the answer is approximate."
)
SPECTRUM_HELP = (
    "SDSS spec, DESI coadd or spectra, a table with wavelength and flux (FITS, ECSV, VOTable, CSV, "
    "ASCII), a 1-D FITS spectrum, or Gaia XP continuous coefficients. Errors may come in a second "
    "file."
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
                "Image (FITS or picture)",
                type=["fits", "fit", "fts", "fz", "gz", "png", "jpg", "jpeg"],
                accept_multiple_files=True,
                key=state.uploader_key("image"),
                help=IMAGE_HELP,
                max_upload_size=MAX_UPLOAD_MB,
                on_change=state.file_changed,
                args=("image",),
            )
            draw_reading("image")
        with right:
            st.file_uploader(
                "Spectrum (FITS, table or text)",
                accept_multiple_files=True,
                key=state.uploader_key("spectrum"),
                help=SPECTRUM_HELP,
                max_upload_size=MAX_UPLOAD_MB,
                on_change=state.file_changed,
                args=("spectrum",),
            )
            draw_reading("spectrum")
