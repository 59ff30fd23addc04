"""The same spectrum on pixels of half and of twice the size.

What a vector says must not hang on how finely a spectrum happens to be sampled. So training sees
some instruments resampled as well, and `resampling.overlap_at_10` measures what is left.
"""

from itertools import pairwise

import numpy as np

from aion_encoder.training.native import NativeRow
from aion_encoder.universal_spectra.patches import lay_out

__all__ = ["coarser", "finer"]


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
