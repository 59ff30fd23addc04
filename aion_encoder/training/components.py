"""Principal components of pixels, spectra and coefficients: what vectors are measured against."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from aion_encoder.observations import GaiaXp, Image, Observation, Spectrum
from aion_encoder.surveys import IMAGE_MIN_PX, SURVEYS

__all__ = ["COMPONENTS", "Components", "fit_components", "raw_features"]

COMPONENTS = 64

SOFTENING = {"legacysurvey": 0.01, "hsc": 0.63}
"""Counts at which arcsinh turns from linear to logarithmic: 0.01 nanomaggies in either zero point,
as in the image codec of AION-1."""

GRID_ANGSTROM = np.linspace(3850.0, 9150.0, 1000)
"""What SDSS and DESI both cover."""

_LEAST_LEVEL = 1e-3
"""Mean absolute flux (1e-17 erg/s/cm2/A) below which a spectrum is not scaled up any further."""

_NOTHING = 1e-12


def raw_features(observation: Observation) -> Float32[np.ndarray, " d"]:
    """Return what principal components are taken of.

    Arcsinh pixels of the central 96 px in all bands of the survey, 0 where there are none; or
    fluxes over their mean absolute value on a common grid; or arcsinh coefficients.
    """
    if isinstance(observation, Image):
        top, left = ((side - IMAGE_MIN_PX) // 2 for side in observation.flux.shape[1:])
        inside = np.s_[:, top : top + IMAGE_MIN_PX, left : left + IMAGE_MIN_PX]
        flux = np.where(np.asarray(observation.mask), 0.0, observation.flux)[inside]
        bands = SURVEYS[observation.survey].bands
        planes = np.zeros((len(bands), IMAGE_MIN_PX, IMAGE_MIN_PX), np.float32)
        for name, plane in zip(observation.bands, flux, strict=True):
            planes[bands.index(name)] = plane
        softened = planes / np.float32(SOFTENING[observation.survey])
        return np.asarray(np.arcsinh(softened).reshape(-1), np.float32)
    if isinstance(observation, Spectrum):
        good = ~np.asarray(observation.mask)
        flux = np.interp(
            GRID_ANGSTROM, observation.wavelength_angstrom[good], observation.flux[good]
        )
        return np.asarray(flux / max(float(np.abs(flux).mean()), _LEAST_LEVEL), np.float32)
    if isinstance(observation, GaiaXp):
        coefficients = np.concatenate([observation.bp, observation.rp])
        return np.asarray(np.arcsinh(coefficients), np.float32)
    raise TypeError(f"there are no components of a {observation.modality}")


@dataclass(frozen=True, eq=False)
class Components:
    """The leading principal components of some features.

    Attributes
    ----------
    mean
        Subtracted.
    basis
        Multiplied from the right; gives each component variance 1 on what it was fitted on.
    """

    mean: Float32[np.ndarray, " d"]
    basis: Float32[np.ndarray, "d c"]

    def apply(self, features: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "n c"]:
        """Return the components of features, one row each."""
        return np.asarray((features - self.mean) @ self.basis, np.float32)


def fit_components(features: Float32[np.ndarray, "n d"], count: int = COMPONENTS) -> Components:
    """Fit at most `count` components, by the products of rows: there are fewer rows than pixels."""
    mean = features.mean(axis=0, dtype=np.float64)
    # In double precision: the last components have a millionth of the variance of the first.
    centred = features.astype(np.float64) - mean
    values, rows = np.linalg.eigh(centred @ centred.T)
    values, rows = values[::-1][:count], rows[:, ::-1][:, :count]
    there = values > _NOTHING * max(float(values[0]), _NOTHING)
    values, rows = values[there], rows[:, there]
    # Directions are centred.T @ rows / sqrt(values); their deviation is sqrt(values / n).
    basis = centred.T @ (rows * (len(features) ** 0.5 / values))
    return Components(mean.astype(np.float32), basis.astype(np.float32))
