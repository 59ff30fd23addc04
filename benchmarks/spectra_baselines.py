"""What a universal spectral tokenizer has to beat: principal components on one common grid."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32

from aion_encoder.training.native import NativeRow
from aion_encoder.universal_spectra.scaling import flux_scale

__all__ = ["COMPONENTS", "GRID_ANGSTROM", "CommonGrid", "on_common_grid"]

GRID_ANGSTROM = 10.0 ** np.arange(np.log10(3400.0), np.log10(24000.0), 4e-4)
"""Steps of 280 km/s, from the bluest to the reddest pixel of all instruments."""

COMPONENTS = 64

WIDEST_GAP = 30
"""Bins beyond which an empty stretch stays empty: twice that is the coarsest pixel of a prism."""


def on_common_grid(row: NativeRow) -> Float32[np.ndarray, " grid"]:
    """Resample a spectrum: bin means weighted by inverse variance, over their median.

    Bins that have no good pixel are 1, the median. The result is bent by arcsinh, so that emission
    lines do not rule the components.
    """
    edges = np.sqrt(GRID_ANGSTROM[1:] * GRID_ANGSTROM[:-1])
    good = ~row.mask & (row.ivar > 0) & np.isfinite(row.flux)
    places = np.searchsorted(edges, row.wavelength_angstrom[good])
    weight = np.bincount(places, row.ivar[good], GRID_ANGSTROM.size)
    total = np.bincount(places, row.ivar[good] * row.flux[good], GRID_ANGSTROM.size)
    known = weight > 0.0
    flux = np.divide(total, weight, out=np.zeros(GRID_ANGSTROM.size), where=known)
    if known.any():
        # Where pixels are wider than bins (a prism), empty bins lie between full ones.
        full = np.flatnonzero(known)
        bins = np.arange(known.size)
        above = np.minimum(np.searchsorted(full, bins), full.size - 1)
        nearest = np.minimum(np.abs(full[above] - bins), np.abs(bins - full[above - 1]))
        inside = (np.arange(known.size) >= full[0]) & (np.arange(known.size) <= full[-1])
        near = inside & (nearest < WIDEST_GAP)
        flux = np.where(near, np.interp(GRID_ANGSTROM, GRID_ANGSTROM[full], flux[full]), 0.0)
        known = near
    if not known.any():
        return np.full(known.size, np.arcsinh(1.0), np.float32)
    scale, _ = flux_scale(flux[known])
    return np.where(known, np.arcsinh(flux / (scale or 1.0)), np.arcsinh(1.0)).astype(np.float32)


class CommonGrid:
    """Principal components of the spectra of all instruments together.

    Parameters
    ----------
    spectra
        Instrument to spectra on the common grid, shape (n, grid), to fit on.
    """

    def __init__(self, spectra: Mapping[str, Float32[np.ndarray, "n grid"]]) -> None:
        every = np.concatenate(list(spectra.values())).astype(np.float64)
        self._mean = every.mean(axis=0)
        products = (every - self._mean).T @ (every - self._mean)
        _, axes = np.linalg.eigh(products)
        self._axes = axes[:, ::-1][:, :COMPONENTS]

    def __call__(
        self, spectra: Float32[np.ndarray, "n grid"]
    ) -> Float32[np.ndarray, "n components"]:
        """Return unit vectors of components."""
        found = (spectra - self._mean) @ self._axes
        unit = found / np.linalg.norm(found, axis=1, keepdims=True)
        return np.asarray(unit, np.float32)
