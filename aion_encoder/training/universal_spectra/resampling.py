"""The same spectrum on pixels of half and of twice the size, and as a prism might show it.

What a vector says must not hang on how finely a spectrum happens to be sampled or resolved. So
training sees some instruments resampled as well, and `resampling.overlap_at_10` measures what is
left.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np

from aion_encoder.training.native import NativeRow
from aion_encoder.universal_spectra.patches import lay_out

__all__ = ["COARSE_STEPS_ANGSTROM", "blurred", "coarser", "finer", "joined"]

COARSE_STEPS_ANGSTROM = (12.0, 150.0)
"""Smallest and largest step that is drawn for a coarse grid."""

FEWEST_COARSE = 120
"""Edges of a coarse grid at least: four patches, or there is too little to hide a part of."""


def coarser(row: NativeRow) -> NativeRow:
    """Join pixels in pairs, within runs without a gap.

    Flux is the mean weighted by inverse variance, the inverse variances add up, the wavelength is
    the mean of both. A pair is bad if one of its pixels is.
    """
    runs = lay_out(row.wavelength_angstrom).runs
    firsts = np.concatenate([np.arange(first, last - 1, 2) for first, last in pairwise(runs)])
    pairs = np.stack([firsts, firsts + 1])
    mask = row.mask[pairs].any(axis=0)
    weight = np.where(mask, 0.0, row.ivar[pairs])
    total = weight.sum(axis=0)
    flux = (weight * row.flux[pairs]).sum(axis=0) / np.where(total > 0.0, total, 1.0)
    return NativeRow(
        row.wavelength_angstrom[pairs].mean(axis=0),
        flux.astype(np.float32),
        total.astype(np.float32),
        mask | (total <= 0.0),
    )


def finer(row: NativeRow) -> NativeRow:
    """Put a pixel between all neighbours of a run, interpolated linearly.

    Errors stay as they are. Noise of neighbours is correlated then, as in all resampled spectra.
    """
    runs = lay_out(row.wavelength_angstrom).runs
    place = np.concatenate(
        [np.arange(2 * first, 2 * last - 1) / 2.0 for first, last in pairwise(runs)]
    )
    below = np.floor(place).astype(int)
    above = np.ceil(place).astype(int)
    mean = [
        0.5 * (np.asarray(each, np.float64)[below] + np.asarray(each, np.float64)[above])
        for each in (row.wavelength_angstrom, row.flux, row.ivar)
    ]
    mask = row.mask[below] | row.mask[above]
    return NativeRow(
        mean[0],
        np.where(mask, 0.0, mean[1]).astype(np.float32),
        np.where(mask, 0.0, mean[2]).astype(np.float32),
        mask,
    )


def joined(rows: Sequence[NativeRow]) -> NativeRow:
    """Return what several instruments saw of a source as one spectrum.

    Their ranges must not overlap.
    """
    order = np.argsort([row.wavelength_angstrom[0] for row in rows])
    parts = [np.concatenate(each) for each in zip(*(rows[at] for at in order), strict=True)]
    if np.any(np.diff(parts[0]) <= 0.0):
        raise ValueError("instruments that are joined must not overlap in wavelength")
    return NativeRow(*parts)


def blurred(row: NativeRow, seed: int) -> NativeRow:
    """Show a spectrum as low dispersion does: on a coarse, irregular grid.

    Steps of 12 to 150 A are drawn for three wavelengths, go evenly in the logarithm between them
    and jitter by a tenth; grids of few pixels are drawn again. Flux is the mean, weighted by
    inverse variance, over twice a step, which is the resolution of a well sampled spectrograph;
    inverse variances add up over one step. Steps without a pixel of the spectrum leave a gap.

    Parameters
    ----------
    seed
        Of the grid: a view has one.
    """
    wavelength = row.wavelength_angstrom
    bounds = _coarse_edges(float(wavelength[0]), float(wavelength[-1]), seed)
    low, high = bounds[:-1], bounds[1:]
    inner = np.searchsorted(wavelength, [low, high])
    full = inner[1] > inner[0]
    low, high, inner = low[full], high[full], inner[:, full]
    wide = np.searchsorted(wavelength, [1.5 * low - 0.5 * high, 1.5 * high - 0.5 * low])
    good = ~row.mask & (row.ivar > 0)
    weight = np.where(good, row.ivar, 0.0).astype(np.float64)
    sums = [np.concatenate([[0.0], np.cumsum(each)]) for each in (weight, weight * row.flux, good)]
    total, light = (each[wide[1]] - each[wide[0]] for each in sums[:2])
    ivar, number = (sums[at][inner[1]] - sums[at][inner[0]] for at in (0, 2))
    flux = np.divide(light, total, out=np.zeros(len(low)), where=total > 0.0)
    covered = number > 0.5 * (inner[1] - inner[0])
    return NativeRow(0.5 * (low + high), flux.astype(np.float32), ivar.astype(np.float32), ~covered)


@lru_cache(maxsize=64)
def _coarse_edges(first: float, last: float, seed: int) -> np.ndarray:
    """Return the edges of coarse pixels; the same for all spectra of a view."""
    rng = np.random.default_rng(seed)
    edges: list[float] = []
    while len(edges) < FEWEST_COARSE:
        knots = np.log([first, first * (last / first) ** rng.uniform(0.3, 0.7), last])
        steps = rng.uniform(np.log(COARSE_STEPS_ANGSTROM[0]), np.log(COARSE_STEPS_ANGSTROM[1]), 3)
        edges = [first]
        while edges[-1] < last:
            step = np.exp(np.interp(np.log(edges[-1]), knots, steps))
            edges.append(edges[-1] + step * rng.uniform(0.9, 1.1))
    return np.array(edges[:-1])
