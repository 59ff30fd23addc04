"""Multimodal Universe files, version 1: one HDF5 file per HEALPix cell of nside 16.

The layout is described in ``docs/conventions.md``. Its traps are met here: images mark good pixels
and spectra bad ones, spectra are padded with a wavelength of -1, arrays may be big-endian,
identifiers may be the text of a Python bytes object, and band names are in lower case.
"""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from aion_encoder.errors import ObservationError
from aion_encoder.observations import GaiaXp, Image, Observation, Spectrum
from aion_encoder.universal_spectra import NativeSpectrum, native_spectrum
from indexer.manifests import ReleaseManifest
from indexer.readers.columns import catalogue_columns, native, needed_columns
from indexer.readers.messages import one_line
from indexer.readers.object_ids import clean_text, object_id_text, plate_mjd_fiber
from indexer.readers.records import Record, Reject, Value
from indexer.readers.sky import on_the_sky

__all__ = ["read_mmu_file"]

BLOCK_ROWS = 256
"""Rows read at once: 100 MB of images. The chunks of these files span many rows and few pixels,
so that reading row by row would unpack every chunk hundreds of times."""

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


def read_mmu_file(path: Path, name: str, release: ReleaseManifest) -> Iterator[Record | Reject]:
    """Read every object of one file, in row order.

    Parameters
    ----------
    path
        The file.
    name
        Its path relative to the manifest's root, for the records.
    release
        What its columns mean.

    Yields
    ------
    Record | Reject
        One for each row; or a single reject for a file that cannot be read.
    """
    try:
        with h5py.File(path, "r") as file:
            yield from _rows(file, name, release)
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        yield Reject("", name, 0, f"the file cannot be read: {one_line(error)}")


def _rows(file: h5py.File, name: str, release: ReleaseManifest) -> Iterator[Record | Reject]:
    modality = release.modality
    arrays, optional = ARRAYS[modality], OPTIONAL_ARRAYS[modality]
    if release.native is not None:
        arrays = tuple(name for name in arrays if name != NO_ERRORS)
        optional = (*optional, NO_ERRORS)
    required = (release.object_id, release.ra, release.dec, *arrays)
    missing = [column for column in required if column not in file]
    if missing:
        yield Reject("", name, 0, f"the file lacks {', '.join(missing)}")
        return
    optional = (*optional, *needed_columns(release.columns))
    wanted = list(dict.fromkeys((*required, *(column for column in optional if column in file))))
    count = len(file[release.object_id])
    uneven = [column for column in wanted if len(file[column]) != count]
    if uneven:
        yield Reject("", name, 0, f"{', '.join(uneven)} do not have the file's {count} rows")
        return
    block_rows = _block_rows(file[ARRAYS[modality][0]])
    for start in range(0, count, block_rows):
        stop = min(start + block_rows, count)
        block = {column: native(file[column][start:stop]) for column in wanted}
        for offset in range(stop - start):
            row = {column: values[offset] for column, values in block.items()}
            yield _object(row, name, start + offset, release)


def _block_rows(dataset: h5py.Dataset) -> int:
    chunk = dataset.chunks[0] if dataset.chunks else 1
    return int(chunk * max(1, BLOCK_ROWS // chunk)) if chunk < 4 * BLOCK_ROWS else BLOCK_ROWS


def _object(
    row: dict[str, np.ndarray], name: str, number: int, release: ReleaseManifest
) -> Record | Reject:
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


def _image(row: dict[str, np.ndarray], survey: str) -> Image:
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


def _scale(row: dict[str, np.ndarray], count: int) -> float | None:
    if "image_scale" not in row:
        return None
    scales = np.broadcast_to(np.asarray(row["image_scale"], float), (count,))
    known = scales[np.isfinite(scales) & (scales > 0.0)]
    if known.size == 0:
        return None
    if np.ptp(known) > 1e-3 * known[0]:
        raise ValueError(f"bands have different pixel scales: {', '.join(map(str, known))}")
    return float(known[0])


def _spectrum(row: dict[str, np.ndarray], survey: str) -> Spectrum:
    pixels = _pixels(row)
    return Spectrum(
        flux=pixels["flux"],
        ivar=pixels["ivar"],
        wavelength_angstrom=pixels["lambda"],
        survey=survey,
        mask=pixels.get("mask"),
    )


def _native_spectrum(row: dict[str, np.ndarray], medium: str) -> NativeSpectrum:
    pixels = _pixels(row)
    return native_spectrum(
        pixels["flux"], pixels["lambda"], pixels.get("ivar"), pixels.get("mask"), medium=medium
    )


def _pixels(row: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the columns of a spectrum by their short names, without the padding."""
    wavelength = row["spectrum_lambda"]
    real = np.isfinite(wavelength) & (wavelength > 0.0)
    if not real.any():
        raise ValueError("the spectrum has no pixel with a wavelength")
    names = ("lambda", "flux", "ivar", "mask")
    there = {name: row[f"spectrum_{name}"][real] for name in names if f"spectrum_{name}" in row}
    return there | ({"mask": there["mask"].astype(bool)} if "mask" in there else {})


def _scalar(value: np.ndarray) -> object:
    return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
