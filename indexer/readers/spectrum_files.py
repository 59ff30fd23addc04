"""Spectrum files of any known layout: the surveys' own first, then tables, then 1-D images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from indexer.errors import ReadError
from indexer.readers.desi_files import find_desi, redshifts_of
from indexer.readers.file_kinds import Content
from indexer.readers.fits_files import fits_hdus
from indexer.readers.found import Found, Refused, SpectrumOptions
from indexer.readers.sdss_spec import find_sdss_spec, find_sp_spec
from indexer.readers.spectrum_images import find_lamost, find_wcs_spectrum
from indexer.readers.spectrum_tables import find_table_spectra
from indexer.readers.tables import read_table, table_of_hdu

__all__ = ["find_spectra", "redrock_beside"]


def find_spectra(contents: Sequence[Content], options: SpectrumOptions) -> list[Found | Refused]:
    """Read every spectrum of a file, or of a spectrum and the file that goes with it.

    The second file is the redrock table of a DESI file, or the errors of a 1-D image.

    Raises
    ------
    ReadError
        If the file is damaged, or nothing in it is a spectrum.
    """
    first, *others = contents
    if len(others) > 1:
        raise ReadError(
            f"a spectrum comes in one file, or in two (flux and error); got {len(contents)}"
        )
    try:
        found = _of_fits(first, others, options) if first.kind == "fits" else None
        if first.kind != "fits":
            found = find_table_spectra(read_table(first), options)
    except ReadError as error:
        text = str(error)
        raise ReadError(
            text if text.startswith(f"{first.name}:") else f"{first.name}: {text}"
        ) from None
    if not found:
        raise ReadError(
            f"{first.name}: no spectrum was found: it needs columns such as wavelength and flux, "
            "or a one-dimensional image with a wavelength axis"
        )
    return found


def redrock_beside(path: Path) -> Path | None:
    """Return the redrock file of a DESI ``coadd-`` or ``spectra-`` file, if it lies beside it."""
    for prefix in ("coadd-", "spectra-"):
        if path.name.startswith(prefix):
            other = path.with_name("redrock-" + path.name.removeprefix(prefix))
            return other if other.is_file() else None
    return None


def _of_fits(
    content: Content, others: Sequence[Content], options: SpectrumOptions
) -> list[Found | Refused] | None:
    with fits_hdus(content) as hdus:
        if not others:
            return _of_hdus(hdus, None, options)
        if others[0].kind != "fits":
            raise ReadError(f"{others[0].name} is no FITS file: errors must be like the fluxes")
        with fits_hdus(others[0]) as second:
            return _of_hdus(hdus, second, options)


def _of_hdus(
    hdus: list[Any], second: list[Any] | None, options: SpectrumOptions
) -> list[Found | Refused] | None:
    found = find_desi(hdus, redshifts_of(second or []))
    if found is not None:
        return found
    for one in (
        find_sdss_spec(hdus),
        find_sp_spec(hdus),
        find_lamost(hdus, options),
    ):
        if one is not None:
            return [one]
    for hdu in hdus[1:]:
        table = table_of_hdu(hdu, hdus[0].header)
        spectra = find_table_spectra(table, options) if table is not None else None
        if spectra:
            return spectra
    one = find_wcs_spectrum(hdus, options, second)
    return None if one is None else [one]
