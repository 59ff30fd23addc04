"""The training sky: simulated sources packed into arrays that the training stages share.

Every source is seen by all five surveys, which no real sky offers; the seed differs from the one
of the demonstration index, so that no source is ever in both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aion_encoder.observations import GaiaXp, Image, Observation, Spectrum
from aion_encoder.training.spectrum_codec import SpectrumArrays
from demo_sky import SURVEYS, Source, simulate

__all__ = ["PackedSky", "observe", "pack", "packed_sky"]

CROP_PX = 96
HALF_RANGE = 60_000.0
"""Beyond what float16 holds; the codec clamps far below."""

LABELS = (
    "object_class",
    "spectral_class",
    "z",
    "stellar_mass",
    "sfr",
    "temperature_k",
    "logg",
    "votes_spiral",
    "votes_merger",
    "is_lens",
    "mag_r",
)

SCALARS = {
    "tok_flux_g": "FLUX_G",
    "tok_flux_r": "FLUX_R",
    "tok_flux_i": "FLUX_I",
    "tok_flux_z": "FLUX_Z",
    "tok_shape_r": "SHAPE_R",
    "tok_z": "Z",
}
"""Token key to catalogue column (`Z` is the true redshift) of the scalars that are modelled."""

BANDS = {
    "legacysurvey": ("DES-G", "DES-R", "DES-I", "DES-Z"),
    "hsc": ("HSC-G", "HSC-R", "HSC-I", "HSC-Z", "HSC-Y"),
}

SPECTRUM_PX = {"sdss": 3900, "desi": 7781}
"""Length to which spectra are padded here."""


@dataclass(frozen=True)
class PackedSky:
    """Arrays of many sources, in the order of their index.

    Attributes
    ----------
    images
        Survey to an array of shape (n, bands, 96, 96), float16, in the survey's counts.
    spectra
        Survey to spectra, padded at the end.
    coefficients
        Gaia XP coefficients, shape (n, 110).
    scalars
        Token key to values of shape (n,).
    labels
        Truth, one row a source.
    """

    images: Mapping[str, np.ndarray]
    spectra: Mapping[str, SpectrumArrays]
    coefficients: np.ndarray
    scalars: Mapping[str, np.ndarray]
    labels: pd.DataFrame

    def __len__(self) -> int:
        return len(self.coefficients)


def observe(sky: PackedSky, row: int, survey: str) -> Observation:
    """Return one packed observation as the encoder takes it.

    Raises
    ------
    ObservationError
        If the encoder could not take it.
    """
    if survey in BANDS:
        return Image(sky.images[survey][row].astype(np.float32), BANDS[survey], survey)
    if survey == "gaia":
        return GaiaXp(sky.coefficients[row, :55], sky.coefficients[row, 55:])
    arrays = sky.spectra[survey]
    real = np.concatenate([[True], np.diff(arrays.wavelength_angstrom[row]) > 0])
    return Spectrum(
        flux=arrays.flux[row][real].astype(np.float32),
        ivar=arrays.ivar[row][real].astype(np.float32),
        wavelength_angstrom=arrays.wavelength_angstrom[row][real],
        survey=survey,
        mask=arrays.mask[row][real],
    )


def _centre(image: np.ndarray) -> np.ndarray:
    edge = (image.shape[-1] - CROP_PX) // 2
    crop = image[..., edge : edge + CROP_PX, edge : edge + CROP_PX]
    return np.asarray(np.nan_to_num(np.clip(crop, -HALF_RANGE, HALF_RANGE)), np.float16)


def _spectrum(data: Mapping[str, Any], length: int) -> tuple[np.ndarray, ...]:
    """Fill bad pixels and pad the end as the tokenizer does."""
    wavelength = np.asarray(data["spectrum_lambda"], np.float32)
    flux = np.asarray(data["spectrum_flux"], np.float64)
    ivar = np.asarray(data["spectrum_ivar"], np.float64)
    bad = np.asarray(data["spectrum_mask"], bool) | ~(ivar > 0) | ~np.isfinite(flux)
    real = wavelength > 0
    wavelength, flux, ivar, bad = wavelength[real], flux[real], ivar[real], bad[real]
    if not bad.all():
        flux = np.interp(wavelength, wavelength[~bad], flux[~bad])
    ivar = np.where(bad, 0.0, ivar)
    pad = length - len(wavelength)
    return (
        np.clip(np.pad(flux, (0, pad), "edge"), -HALF_RANGE, HALF_RANGE).astype(np.float16),
        # The codec clips inverse variances at 100.
        np.clip(np.pad(ivar, (0, pad)), 0.0, 100.0).astype(np.float16),
        np.pad(bad, (0, pad), constant_values=True),
        np.pad(wavelength, (0, pad), "edge"),
    )


def _rows(source: Source) -> dict[str, Any]:
    row: dict[str, Any] = {name: source.labels[name] for name in LABELS}
    for survey in BANDS:
        row[f"image_{survey}"] = _centre(source.data[survey]["image_array"])
    for survey, length in SPECTRUM_PX.items():
        row[f"spectrum_{survey}"] = _spectrum(source.data[survey], length)
    row["coefficients"] = np.asarray(source.data["gaia"]["coeff"], np.float32)
    for key, column in SCALARS.items():
        row[key] = source.labels["z"] if column == "Z" else source.data["legacysurvey"][column]
    return row


def pack(
    path: Path, seed: int, start: int, stop: int, progress: Callable[[int, int], None] | None = None
) -> None:
    """Simulate sources `start` to `stop` of a sky and write them to one `.npz` file."""
    rows = []
    for done, source in enumerate(simulate(seed, start, stop, surveys=SURVEYS), 1):
        rows.append(_rows(source))
        if progress is not None:
            progress(done, stop - start)
    arrays: dict[str, np.ndarray] = {}
    for name in rows[0]:
        if name.startswith("spectrum_"):
            for k, part in enumerate(("flux", "ivar", "mask", "wavelength")):
                arrays[f"{name}_{part}"] = np.stack([row[name][k] for row in rows])
        else:
            values = np.stack([np.asarray(row[name]) for row in rows])
            arrays[name] = values.astype("U16") if values.dtype.kind in "OU" else values
    partial = path.with_name(path.name + ".tmp.npz")
    np.savez(partial, allow_pickle=False, **arrays)
    partial.replace(path)


def packed_sky(paths: list[Path]) -> PackedSky:
    """Read packed files, in the order given, into one sky."""
    parts: dict[str, list[np.ndarray]] = {}
    for path in paths:
        with np.load(path, allow_pickle=False) as stored:
            for name in stored.files:
                parts.setdefault(name, []).append(stored[name])
    arrays = {}
    for name in list(parts):
        arrays[name] = np.concatenate(parts.pop(name))
    return PackedSky(
        images={survey: arrays[f"image_{survey}"] for survey in BANDS},
        spectra={
            survey: SpectrumArrays(
                *(arrays[f"spectrum_{survey}_{p}"] for p in ("flux", "ivar", "mask", "wavelength"))
            )
            for survey in SPECTRUM_PX
        },
        coefficients=arrays["coefficients"],
        scalars={key: arrays[key] for key in SCALARS},
        labels=pd.DataFrame({name: arrays[name] for name in LABELS}),
    )
