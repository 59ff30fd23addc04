"""From a fine spectrum to the pixels of an instrument: its line spread, and air wavelengths."""

import numpy as np
from scipy.sparse import csr_array

from demo_sky.fine_grid import Window
from demo_sky.grids import FloatArray

_REACH_SIGMA = 4.0
FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))


def line_spread(
    window: Window, wavelength_angstrom: FloatArray, resolution: FloatArray
) -> csr_array:
    """Matrix that takes flux density on a window to that of pixels.

    Each row is a Gaussian of the resolution of its pixel and adds up to 1.

    Parameters
    ----------
    window : Window
    wavelength_angstrom : array, shape (n,)
        Vacuum wavelengths of the pixels, inside the window.
    resolution : array, shape (n,)
        Wavelength over full width at half maximum.
    """
    log_wavelength = window.log_wavelength
    step = (log_wavelength[1] - log_wavelength[0]) * np.log(10.0)
    position = (np.log(wavelength_angstrom) - log_wavelength[0] * np.log(10.0)) / step
    sigma = 1.0 / (resolution * FWHM_PER_SIGMA * step)
    first = np.maximum(np.ceil(position - _REACH_SIGMA * sigma), 0).astype(np.int64)
    last = np.minimum(np.floor(position + _REACH_SIGMA * sigma), len(window) - 1).astype(np.int64)
    counts = last - first + 1
    if counts.min() < 3:
        raise ValueError(
            f"pixels must lie inside {10 ** log_wavelength[0]:.0f} to "
            f"{10 ** log_wavelength[-1]:.0f} A and be resolved by it, got "
            f"{wavelength_angstrom.min():.0f} to {wavelength_angstrom.max():.0f} A"
        )
    starts = np.concatenate([[0], np.cumsum(counts)])
    row = np.repeat(np.arange(len(position)), counts)
    column = np.arange(starts[-1]) - np.repeat(starts[:-1], counts) + np.repeat(first, counts)
    weight = np.exp(-0.5 * ((column - position[row]) / sigma[row]) ** 2)
    weight /= np.add.reduceat(weight, starts[:-1])[row]
    shape = (len(position), len(window))
    return csr_array(
        (weight.astype(np.float32), column.astype(np.int32), starts.astype(np.int32)), shape=shape
    )


def vacuum_wavelength(air_angstrom: FloatArray) -> FloatArray:
    """Wavelength in vacuum of light that has `air_angstrom` in air (Morton 2000, ApJS 130, 403)."""
    vacuum = air_angstrom
    for _ in range(3):
        wavenumber2 = (1e4 / vacuum) ** 2
        index = (
            1.0
            + 8.34254e-5
            + 2.406147e-2 / (130.0 - wavenumber2)
            + 1.5998e-4 / (38.9 - wavenumber2)
        )
        vacuum = air_angstrom * index
    return vacuum
