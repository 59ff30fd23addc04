"""Errors of a spectrum that has none, from the differences of its pixels."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float64

__all__ = ["pixel_noise"]

LEAST_PX = 8
"""Good pixels that a run must have for an estimate of its own; shorter ones get that of all."""


def _der_snr(flux: np.ndarray) -> float:
    if flux.size < LEAST_PX:
        return 0.0
    second = 2.0 * flux[2:-2] - flux[:-4] - flux[4:]
    return float(1.482602 / np.sqrt(6.0) * np.median(np.abs(second)))


def pixel_noise(flux: np.ndarray, good: np.ndarray, runs: np.ndarray) -> Float64[np.ndarray, " n"]:
    """Estimate the standard deviation of every pixel.

    One value for every run without a gap, by the DER_SNR of Stoehr et al. (2008, ASP Conf. 394,
    505) over its good pixels,

        sigma = 1.482602 / sqrt(6) x median |2 f(i) - f(i-2) - f(i+2)|,

    which neither a sloping continuum nor lines move much, nor noise that neighbours share. A run
    of fewer than `LEAST_PX` good pixels gets the median of the others.

    Parameters
    ----------
    flux, good
        Shape (n,): fluxes, and True where they count.
    runs
        First pixel of every run, and n; see `aion_encoder.universal_spectra.patches.Layout`.

    Returns
    -------
    Standard deviations, 0 where no differences are seen or too few pixels are good.
    """
    each = np.array(
        [_der_snr(flux[first:last][good[first:last]]) for first, last in pairwise(runs)]
    )
    seen = each[each > 0.0]
    usual = float(np.median(seen)) if seen.size else _der_snr(flux[good])
    return np.repeat(np.where(each > 0.0, each, usual), np.diff(runs))
