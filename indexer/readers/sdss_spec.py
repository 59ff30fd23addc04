"""SDSS, BOSS and eBOSS spectra: ``spec-PLATE-MJD-FIBER`` files, and the ``spSpec`` files before.

Data model: https://data.sdss.org/datamodel/files/BOSS_SPECTRO_REDUX/RUN2D/spectra/PLATE4/spec.html
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from aion_encoder.errors import ObservationError
from aion_encoder.observations import Spectrum
from indexer.column_rules import ColumnRules, Magnitude, RedshiftOk
from indexer.readers.columns import catalogue_columns
from indexer.readers.fits_files import header_float, header_text, pixels, table_columns
from indexer.readers.found import Found, Refused
from indexer.readers.object_ids import clean_text, plate_mjd_fiber, spec_object_id
from indexer.readers.records import Value, standard_columns
from indexer.readers.sky import header_position

__all__ = ["find_sdss_spec", "find_sp_spec"]

RULES = ColumnRules(
    redshift="Z",
    redshift_ok=RedshiftOk(column="ZWARNING", good="zero"),
    magnitude=Magnitude(column="SPECTROFLUX[2]", unit="nanomaggies", band="r"),
    object_class="CLASS",
    keep={"subclass": "SUBCLASS", "snr": "SN_MEDIAN_ALL"},
)


WARNINGS = sum(1 << bit for bit in (16, 17, 19, 23, 27, 28))
"""NEARBADPIXEL, LOWFLAT, PARTIALREJECT, BRIGHTSKY, BADSKYCHI and REDMONSTER: the pixel was
measured, and its error says how well. What the pipeline holds to be very bad has an inverse
variance of zero (https://www.sdss3.org/dr10/algorithms/bitmask_sppixmask.php)."""

BAD_PIXEL = 0xFFFF0000 & ~WARNINGS
"""Flags of a single pixel by which it is bad. Those of the whole fibre, bits 0 to 15, are not among
them: they cover a camera."""


def find_sdss_spec(hdus: list[Any]) -> Found | Refused | None:
    """Read a ``spec`` file; None if this is none.

    Wavelengths are vacuum (10^loglam), fluxes 1e-17 erg/s/cm2/Angstrom; a pixel is bad where
    ``and_mask`` has a pixel's flag or ``ivar`` is not positive. The position is the fibre's: the
    primary header holds the centre of the plate.
    """
    coadd: dict[str, np.ndarray] | None = None
    catalogue: dict[str, Any] = {}
    for hdu in hdus[1:]:
        columns = table_columns(hdu)
        if columns is None:
            continue
        lower = {name.lower(): values for name, values in columns.items()}
        if coadd is None and {"loglam", "flux", "ivar"} <= lower.keys():
            coadd = lower
        elif (
            not catalogue and {"PLUG_RA", "PLUG_DEC"} <= columns.keys() and len(columns["PLUG_RA"])
        ):
            catalogue = {name: values[0] for name, values in columns.items()}
        if coadd is not None and catalogue:
            break
    if coadd is None:
        return None
    header = hdus[0].header
    object_id = _object_id(catalogue, header)
    columns_kept = catalogue_columns(RULES, catalogue)
    columns_kept["plate_mjd_fiber"] = plate_mjd_fiber(object_id)
    ra_deg, dec_deg = header_position(catalogue) if catalogue else (math.nan, math.nan)
    mask = _bad_pixels(coadd["and_mask"]) if "and_mask" in coadd else None
    wavelength = 10.0 ** coadd["loglam"].astype(np.float64)
    return _found(
        coadd["flux"], coadd["ivar"], wavelength, mask, object_id, ra_deg, dec_deg, columns_kept
    )


def find_sp_spec(hdus: list[Any]) -> Found | Refused | None:
    """Read an ``spSpec`` file of SDSS-I/II; None if this is none.

    The primary image has the rows flux, flux less continuum, error and mask.
    """
    header = hdus[0].header
    if not {"COEFF0", "COEFF1", "PLATEID", "MJD", "FIBERID"} <= set(header):
        return None
    image = pixels(hdus[0])
    if image is None or image.ndim != 2 or image.shape[0] < 4:
        return None
    flux, error, mask = image[0], image[2].astype(np.float64), image[3]
    with np.errstate(divide="ignore"):
        ivar = np.where(error > 0.0, 1.0 / error**2, 0.0)
    wavelength = 10.0 ** (
        header_float(header, "COEFF0") + header_float(header, "COEFF1") * np.arange(flux.size)
    )
    redshift = header_float(header, "Z")
    object_id = _object_id({}, header)
    columns = dict(
        standard_columns(
            redshift=redshift,
            redshift_ok=math.isfinite(redshift),
            plate_mjd_fiber=plate_mjd_fiber(object_id),
        )
    )
    ra_deg, dec_deg = header_position({key: header.get(key) for key in ("RAOBJ", "DECOBJ")})
    return _found(flux, ivar, wavelength, _bad_pixels(mask), object_id, ra_deg, dec_deg, columns)


def _bad_pixels(mask: np.ndarray) -> np.ndarray:
    return np.asarray((mask.astype(np.int64) & BAD_PIXEL) != 0)


def _found(
    flux: np.ndarray,
    ivar: np.ndarray,
    wavelength: np.ndarray,
    mask: np.ndarray | None,
    object_id: str,
    ra_deg: float,
    dec_deg: float,
    columns: Mapping[str, Value],
) -> Found | Refused:
    try:
        spectrum = Spectrum(
            flux=flux,
            ivar=ivar,
            wavelength_angstrom=wavelength.astype(np.float32),
            survey="sdss",
            mask=mask,
        )
    except ObservationError as error:
        return Refused(str(error), object_id)
    return Found(spectrum, object_id, ra_deg, dec_deg, columns, survey="sdss")


def _object_id(catalogue: Mapping[str, Any], header: Mapping[str, Any]) -> str:
    stated = clean_text(catalogue.get("SPECOBJID", ""))
    if stated.isdecimal() and int(stated) > 0:
        return stated
    plate, mjd, fiber = (header_float(header, key) for key in ("PLATEID", "MJD", "FIBERID"))
    run2d = clean_text(catalogue.get("RUN2D", "")) or header_text(header, "RUN2D") or "0"
    if math.isnan(plate + mjd + fiber):
        return ""
    try:
        return spec_object_id(int(plate), int(mjd), int(fiber), run2d)
    except ValueError:
        return ""
