"""The same spectrum on pixels of half and of twice the size, and as a prism might show it.

What a vector says must not hang on how finely a spectrum happens to be sampled or resolved. So
training sees some instruments resampled as well, and `resampling.overlap_at_10` measures what is
left.
"""

from itertools import pairwise

import numpy as np

from aion_encoder.training.native import NativeRow
from aion_encoder.universal_spectra.patches import lay_out

__all__ = ["blurred", "coarser", "finer"]


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


def blurred(row: NativeRow, narrowest: int, widest: int, seed: int) -> NativeRow:
    """Join many pixels, ever more or ever fewer of them to the red, as low dispersion does.

    Steps go evenly in the logarithm from `narrowest` to `widest` pixels, and jitter by a fifth.
    Flux is the mean, weighted by inverse variance, over twice a step, which is the resolution of a
    well sampled spectrograph; inverse variances add up over one step.

    Parameters
    ----------
    narrowest, widest
        Pixels of a step at the blue end and at the red end.
    seed
        Of the jitter: a view has one grid.
    """
    rng = np.random.default_rng(seed)
    wavelength = row.wavelength_angstrom
    count = len(wavelength)
    edges = [0.0]
    while edges[-1] < count - 1:
        share = edges[-1] / count
        step = narrowest * (widest / narrowest) ** share
        edges.append(edges[-1] + max(2.0, step * (1.0 + 0.2 * rng.uniform(-1.0, 1.0))))
    bounds = np.array(edges[:-1], int)
    good = ~row.mask & (row.ivar > 0)
    weight = np.where(good, row.ivar, 0.0).astype(np.float64)
    sums = [np.concatenate([[0.0], np.cumsum(each)]) for each in (weight, weight * row.flux, good)]
    first, last = bounds[:-1], bounds[1:]
    middle, half = (first + last) // 2, last - first
    low, high = np.maximum(middle - half, 0), np.minimum(middle + half, count)
    total = sums[0][high] - sums[0][low]
    flux = np.divide(
        sums[1][high] - sums[1][low], total, out=np.zeros(len(first)), where=total > 0.0
    )
    covered = (sums[2][last] - sums[2][first]) > 0.5 * (last - first)
    return NativeRow(
        0.5 * (wavelength[first] + wavelength[last - 1]),
        flux.astype(np.float32),
        (sums[0][last] - sums[0][first]).astype(np.float32),
        ~covered,
    )
