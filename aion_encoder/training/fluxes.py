"""What a cell of tokens should tell before anything is learned: the flux that it was made from.

A pooling whose maps begin at random finds fluxes and colours late, and overfits on the way. So it
sees its cells along directions that tell best, by ridge regression over a few thousand
observations, what is measured on the pixels themselves:

- a ring of a picture: the mean flux in g, r, i and z;
- the brightness of a spectrum as its tokenizer computes it, log10(n + 1);
- an arm of a spectrum: its mean flux over that brightness.

No label has a part in it, so that it serves any weights.
"""

import numpy as np
from jaxtyping import Float32, Float64

from aion_encoder.learned_pooling import ARM, CELLS, RINGS
from aion_encoder.preparation import NORMALISATION_FLOOR
from aion_encoder.surveys import SPECTRUM_GRID_ANGSTROM, SURVEYS
from aion_encoder.training.simulated import BANDS, PackedSky
from aion_encoder.training.spectrum_codec import SpectrumArrays

__all__ = ["flux_directions", "fluxes_of"]

NANOMAGGY_AB = 22.5

COUNTS = {name: 10 ** (0.4 * (SURVEYS[name].zero_point - NANOMAGGY_AB)) for name in BANDS}
"""In a nanomaggy."""

COLOURS = 4
"""g, r, i and z, which both surveys have."""

SOFT_NANOMAGGIES = 0.01
"""Flux of a pixel at which arcsinh turns from linear to logarithmic, as in the image tokenizer."""

BLOCK_PX = 8
"""Side of a block of 2 x 2 tokens."""

TOKEN_ANGSTROM = 25.6
"""32 pixels of 0.8 A of the spectrum tokenizer's grid."""

SOFT_RATIO = 0.5
"""Of flux and brightness, at which arcsinh turns."""

FEWEST_PX = 10
"""Good pixels below which an arm has no flux."""

RIDGE = 1e-3
"""In units of the mean variance of a value of a cell."""


def fluxes_of(sky: PackedSky, survey: str) -> Float32[np.ndarray, "n cells fluxes"] | None:
    """Measure the fluxes of every cell of packed observations.

    Returns
    -------
    In softened logarithms, NaN where there is none; None for Gaia, whose tokens are coefficients.
    """
    if survey in BANDS:
        return _rings(sky.images[survey][:, :COLOURS], COUNTS[survey])
    return _arms(sky.spectra[survey]) if survey in sky.spectra else None


def _rings(counts: np.ndarray, unit: float) -> Float32[np.ndarray, "n cells fluxes"]:
    flux = counts.astype(np.float32) / unit
    side = flux.shape[-1] // BLOCK_PX
    blocks = flux.reshape(len(flux), COLOURS, side, BLOCK_PX, side, BLOCK_PX).mean((3, 5))
    blocks = blocks.reshape(len(flux), COLOURS, side * side)
    rings = [blocks[:, :, ring.numpy()].mean(axis=2) for ring in RINGS]
    return np.arcsinh(np.stack(rings, axis=1) / SOFT_NANOMAGGIES).astype(np.float32)


def _arms(spectra: SpectrumArrays) -> Float32[np.ndarray, "n cells fluxes"]:
    good = ~spectra.mask & (spectra.ivar > 0)
    flux = np.where(good, spectra.flux, 0.0).astype(np.float64)
    # The tokenizer divides by one pixel more than there are.
    level = np.maximum(flux.sum(1) / ((~spectra.mask).sum(1) + 1.0), NORMALISATION_FLOOR)
    arms = CELLS["spectrum"] - 1
    arm = (
        (spectra.wavelength_angstrom - SPECTRUM_GRID_ANGSTROM[0]) // (ARM * TOKEN_ANGSTROM)
    ).astype(int)
    within = good & (arm >= 0) & (arm < arms)
    place = np.where(within, arm, 0) + arms * np.arange(len(arm))[:, None]
    counted = np.bincount(place.ravel(), within.ravel(), arms * len(arm)).reshape(-1, arms)
    total = np.bincount(place.ravel(), (flux * within).ravel(), arms * len(arm)).reshape(-1, arms)
    mean = np.where(counted >= FEWEST_PX, total / np.maximum(counted, 1.0), np.nan)
    ratio = np.arcsinh((mean / level[:, None] - 1.0) / SOFT_RATIO)
    told = np.concatenate([np.log10(level + 1.0)[:, None], ratio], axis=1)
    return told[:, :, None].astype(np.float32)


def flux_directions(
    cells: Float64[np.ndarray, "n size"], fluxes: Float32[np.ndarray, "n fluxes"]
) -> Float64[np.ndarray, "size fluxes"]:
    """Return the directions in which cells tell their fluxes best.

    Parameters
    ----------
    cells
        Scaled values.
    fluxes
        Rows with NaN are left out. Each is told in units of its own standard deviation.
    """
    known = np.isfinite(fluxes).all(axis=1)
    x, y = cells[known].astype(np.float64), fluxes[known].astype(np.float64)
    y = (y - y.mean(axis=0)) / np.maximum(y.std(axis=0), 1e-6)
    x = x - x.mean(axis=0)
    products = x.T @ x / len(x)
    products += RIDGE * np.trace(products) / len(products) * np.eye(len(products))
    return np.asarray(np.linalg.solve(products, x.T @ y / len(x)))
