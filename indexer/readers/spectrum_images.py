"""Spectra in FITS images: one line of pixels with a wavelength axis, and LAMOST's five lines.

The axis follows FITS paper III (Greisen et al. 2006, A&A 446, 747) as far as surveys use it, and
IRAF's ``DC-FLAG``.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from indexer.readers.fits_files import header_float, header_text, pixels
from indexer.readers.found import Found, Refused, SpectrumOptions
from indexer.readers.records import standard_columns
from indexer.readers.sky import header_position
from indexer.readers.spectrum_numbers import (
    Noise,
    SpectrumNumbers,
    found_in,
    spectrum_from_numbers,
)
from indexer.readers.spectrum_tables import stated_medium, stated_survey

__all__ = ["find_lamost", "find_wcs_spectrum", "wcs_line"]

NOISE_HDUS: Mapping[str, Noise] = {
    "IVAR": "ivar",
    "INVVAR": "ivar",
    "ERR": "error",
    "ERRS": "error",
    "ERROR": "error",
    "SIGMA": "error",
    "NOISE": "error",
    "UNCERT": "error",
    "VAR": "variance",
    "VARIANCE": "variance",
    "STAT": "variance",
}
"""Names of HDUs that hold the noise of the spectrum in another HDU."""


def find_lamost(hdus: list[Any], options: SpectrumOptions) -> Found | Refused | None:
    """Read a LAMOST low-resolution spectrum; None if this is none.

    The primary image has the rows flux, inverse variance, vacuum wavelength in Angstrom, and-mask
    and or-mask (LAMOST DR1 to DR7). Fluxes are relative.
    """
    header = hdus[0].header
    is_lamost = "lamost" in header_text(header, "TELESCOP", "DATA_V", "ORIGIN").casefold()
    image = pixels(hdus[0]) if is_lamost else None
    if image is None or image.ndim != 2 or image.shape[0] < 4:
        return None
    numbers = SpectrumNumbers(
        wavelength=image[2],
        flux=image[0],
        noise=image[1],
        noise_kind="ivar",
        mask=image[3] != 0,
        wavelength_unit="Angstrom",
        flux_unit="relative flux",
        medium="vacuum",
    )
    return _found(numbers, header, options)


def find_wcs_spectrum(
    hdus: list[Any], options: SpectrumOptions, error_hdus: list[Any] | None = None
) -> Found | Refused | None:
    """Read a spectrum that is one line of pixels; None if there is none.

    Parameters
    ----------
    hdus
        Of the file.
    options
        What the person states.
    error_hdus
        Of a second file that holds the errors of the first.
    """
    found = next((line for hdu in hdus if (line := wcs_line(hdu)) is not None), None)
    if found is None:
        return None
    flux, wavelength, header = found
    noise, kind = _noise(hdus, error_hdus, flux.size)
    ctype = header_text(header, "CTYPE1").upper()
    medium = "air" if ctype.startswith("AWAV") else stated_medium(header)
    if not medium and ctype.startswith("WAVE"):
        medium = "vacuum"
    logarithmic = header_float(header, "DC-FLAG") == 1.0 or ctype.startswith("LOG")
    numbers = SpectrumNumbers(
        wavelength=wavelength,
        flux=flux,
        noise=noise,
        noise_kind=kind,
        wavelength_unit="log10(Angstrom)" if logarithmic else header_text(header, "CUNIT1"),
        flux_unit=header_text(header, "BUNIT"),
        medium=medium,
        survey=stated_survey(header),
    )
    return _found(numbers, {**dict(hdus[0].header), **dict(header)}, options)


def wcs_line(hdu: Any) -> tuple[np.ndarray, np.ndarray, Any] | None:
    """Return the pixels of a one-dimensional image, its axis and header; None if it is none."""
    header = hdu.header
    step = header_float(header, "CD1_1", "CDELT1")
    start = header_float(header, "CRVAL1")
    if math.isnan(start) or math.isnan(step) or step == 0.0:
        return None
    image = pixels(hdu)
    if image is None:
        return None
    line = np.squeeze(image)
    if line.ndim == 2 and "BANDID1" in header:
        line = line[0]
    if line.ndim != 1:
        return None
    reference = header_float(header, "CRPIX1")
    reference = 1.0 if math.isnan(reference) else reference
    offset = (np.arange(line.size) + 1.0 - reference) * step
    if header_text(header, "CTYPE1").upper().endswith("-LOG"):
        return line, start * np.exp(offset / start), header
    return line, start + offset, header


def _noise(
    hdus: list[Any], error_hdus: list[Any] | None, size: int
) -> tuple[np.ndarray | None, Noise]:
    for hdu in error_hdus or []:
        image = pixels(hdu)
        if image is not None and image.size == size:
            return np.ravel(image), "error"
    for hdu in hdus[1:]:
        kind = NOISE_HDUS.get(str(hdu.name).upper())
        image = pixels(hdu) if kind else None
        if kind and image is not None and image.size == size:
            return np.ravel(image), kind
    return None, "none"


def _found(
    numbers: SpectrumNumbers, header: Mapping[str, Any], options: SpectrumOptions
) -> Found | Refused:
    read = spectrum_from_numbers(numbers, options)
    ra_deg, dec_deg = header_position(header)
    redshift = header_float(header, "REDSHIFT", "Z")
    columns = standard_columns(redshift=redshift, redshift_ok=math.isfinite(redshift))
    survey, assumptions = numbers.survey, read.assumptions
    return found_in(read, Found(None, "", ra_deg, dec_deg, columns, 0, assumptions, survey))
