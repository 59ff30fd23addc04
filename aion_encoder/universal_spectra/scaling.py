"""How fluxes become numbers near one, and come back.

Fluxes are divided by a scale, in most spectra their median, and numbers beyond ten bend into a
logarithm: the brightest line of a galaxy, or a cosmic ray, must not be a hundred times as loud as
its continuum.
"""

import numpy as np
from jaxtyping import Float64

__all__ = ["LINEAR", "MOST", "SPREAD_SHARE", "flux_scale", "squash", "unsquash"]

LINEAR = 10.0
"""Fluxes up to so many scales stay as they are: continua, absorption and most emission lines."""

MOST = 1e6
"""Fluxes beyond so many scales count as this many; what is there is no light of the source."""

SPREAD_SHARE = 0.3
"""Least scale in units of the median of |flux|. In pure noise of standard deviation s that median
is 0.67 s, so the scale is at least 0.2 s and noise stays within the linear range (two standard
deviations); a signal-to-noise ratio of 0.2 a pixel is enough for the median itself to count."""


def flux_scale(flux: np.ndarray) -> tuple[float, bool]:
    """Return what the fluxes of a spectrum are divided by, and whether that is their median.

    The scale is the larger of median(flux) and 0.3 median(|flux|). The second counts for spectra
    that are all noise, mostly negative or had their continuum removed.

    Parameters
    ----------
    flux
        Good pixels only, at least one.

    Returns
    -------
    The scale, 0 if more than half of the fluxes are zero, and True if it is the median.
    """
    median = float(np.median(flux))
    spread = SPREAD_SHARE * float(np.median(np.abs(flux)))
    return max(median, spread), median >= spread


def squash(flux: np.ndarray) -> Float64[np.ndarray, "*shape"]:
    """Bend fluxes in units of their scale beyond `LINEAR` into a logarithm.

    The sign stays; 10 + x becomes 10 + arcsinh(x), which is smooth at 10, and `MOST` about 24.5.
    """
    size = np.minimum(np.abs(np.asarray(flux, np.float64)), MOST)
    over = np.maximum(size - LINEAR, 0.0)
    return np.asarray(np.copysign(size - over + np.arcsinh(over), flux))


def unsquash(bent: np.ndarray) -> Float64[np.ndarray, "*shape"]:
    """Undo `squash`; what lies beyond its range comes back as `MOST`."""
    size = np.abs(np.asarray(bent, np.float64))
    over = np.clip(size - LINEAR, 0.0, np.arcsinh(MOST - LINEAR))
    return np.asarray(np.copysign(np.minimum(size, LINEAR) + np.sinh(over), bent))
