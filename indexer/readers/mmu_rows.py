"""A row of a Multimodal Universe file into a record, whatever kind of file it came in.

The layout is described in ``docs/conventions.md``. Its traps are met here: images mark good pixels
and spectra bad ones, spectra are padded with a wavelength of -1, identifiers may be the text of a
Python bytes object, and band names are in lower case. Columns have the names of version 1.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aion_encoder.errors import ObservationError
from aion_encoder.observations import GaiaXp, Image, Observation, Spectrum
from aion_encoder.universal_spectra import NativeSpectrum, native_spectrum
from indexer.manifests import ReleaseManifest
from indexer.readers.columns import catalogue_columns, needed_columns
from indexer.readers.messages import one_line
from indexer.readers.object_ids import clean_text, object_id_text, plate_mjd_fiber
from indexer.readers.records import Record, Reject, Value
from indexer.readers.sky import on_the_sky

__all__ = ["ARRAYS", "BLOCK_ROWS", "record_of", "wanted_columns"]

BLOCK_ROWS = 256
"""Rows read at once: 100 MB of images."""

ARRAYS = {
    "image": ("image_array",),
    "spectrum": ("spectrum_flux", "spectrum_ivar", "spectrum_lambda"),
    "xp": ("coeff",),
}
OPTIONAL_ARRAYS = {
    "image": ("image_mask", "image_band", "image_scale"),
    "spectrum": ("spectrum_mask",),
    "xp": (),
}
NO_ERRORS = "spectrum_ivar"
"""Needed by AION-1 alone."""


def wanted_columns(release: ReleaseManifest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns that a file must have, and those that are read where there are any."""
    arrays, optional = ARRAYS[release.modality], OPTIONAL_ARRAYS[release.modality]
    if release.native is not None:
        arrays = tuple(name for name in arrays if name != NO_ERRORS)
        optional = (*optional, NO_ERRORS)
    required = (release.object_id, release.ra, release.dec, *arrays)
    return required, (*optional, *needed_columns(release.columns))


def record_of(
    row: Mapping[str, Any], name: str, number: int, release: ReleaseManifest
) -> Record | Reject:
    """Return what a row holds, or why it cannot be indexed.

    Parameters
    ----------
    row
        Column name to value, arrays in the byte order of this machine.
    name
        The file's path relative to the manifest's root.
    number
        Of the row.
    release
        What the columns mean.
    """
    object_id = ""
    try:
        object_id = object_id_text(_scalar(row[release.object_id]))
        ra_deg, dec_deg = on_the_sky(row[release.ra], row[release.dec])
        columns: dict[str, Value] = catalogue_columns(release.columns, row)
        observation: Observation | NativeSpectrum
        if release.modality == "image":
            observation = _image(row, release.survey)
            columns["bands"] = ",".join(observation.bands)
        elif release.native is not None:
            observation = _native_spectrum(row, release.native.medium)
        elif release.modality == "spectrum":
            observation = _spectrum(row, release.survey)
        else:
            observation = GaiaXp(bp=row["coeff"][:55], rp=row["coeff"][55:])
        if release.survey == "sdss":
            columns["plate_mjd_fiber"] = plate_mjd_fiber(object_id)
    except (ObservationError, ValueError, TypeError) as error:
        return Reject(object_id, name, number, one_line(error))
    return Record(object_id, ra_deg, dec_deg, (observation,), columns, name, number)


def _image(row: Mapping[str, Any], survey: str) -> Image:
    flux = row["image_array"]
    if flux.ndim != 3:
        raise ValueError(f"an image must have three axes, got the shape {flux.shape}")
    if "image_band" not in row:
        raise ValueError("the file does not name the bands (image_band)")
    bands = [clean_text(band).upper() for band in np.atleast_1d(row["image_band"])]
    if len(bands) != len(flux):
        raise ValueError(f"{len(bands)} band names for {len(flux)} bands")
    mask = np.zeros(flux.shape, bool)
    if "image_mask" in row:
        # True is a good pixel; Legacy Surveys files hold one mask for all bands.
        mask |= ~row["image_mask"].astype(bool)
    scale = _scale(row, len(flux))
    # A band that was not observed is all NaN, or all zero.
    seen = [i for i, plane in enumerate(flux) if np.any(np.isfinite(plane) & (plane != 0.0))]
    if not seen:
        raise ValueError("no band holds a pixel that is neither missing nor zero")
    return Image(
        flux=flux[seen],
        bands=tuple(bands[i] for i in seen),
        survey=survey,
        mask=mask[seen],
        pixel_scale_arcsec=scale,
    )


def _scale(row: Mapping[str, Any], count: int) -> float | None:
    if "image_scale" not in row:
        return None
    scales = np.broadcast_to(np.asarray(row["image_scale"], float), (count,))
    known = scales[np.isfinite(scales) & (scales > 0.0)]
    if known.size == 0:
        return None
    if np.ptp(known) > 1e-3 * known[0]:
        raise ValueError(f"bands have different pixel scales: {', '.join(map(str, known))}")
    return float(known[0])


def _spectrum(row: Mapping[str, Any], survey: str) -> Spectrum:
    pixels = _pixels(row)
    return Spectrum(
        flux=pixels["flux"],
        ivar=pixels["ivar"],
        wavelength_angstrom=pixels["lambda"],
        survey=survey,
        mask=pixels.get("mask"),
    )


def _native_spectrum(row: Mapping[str, Any], medium: str) -> NativeSpectrum:
    pixels = _pixels(row)
    return native_spectrum(
        pixels["flux"], pixels["lambda"], pixels.get("ivar"), pixels.get("mask"), medium=medium
    )


def _pixels(row: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the columns of a spectrum by their short names, without the padding."""
    wavelength = row["spectrum_lambda"]
    real = np.isfinite(wavelength) & (wavelength > 0.0)
    if not real.any():
        raise ValueError("the spectrum has no pixel with a wavelength")
    names = ("lambda", "flux", "ivar", "mask")
    there = {name: row[f"spectrum_{name}"] for name in names if f"spectrum_{name}" in row}
    if len({len(values) for values in there.values()}) > 1:
        told = ", ".join(f"{len(values)} of {name}" for name, values in there.items())
        raise ValueError(f"a spectrum's columns must have equally many pixels, got {told}")
    there = {name: values[real] for name, values in there.items()}
    return there | ({"mask": there["mask"].astype(bool)} if "mask" in there else {})


def _scalar(value: np.ndarray) -> object:
    return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
