"""Windows of the spectrum at 2.76 km/s a pixel, where single stellar lines are resolved.

A fine pixel is the 25th part of a pixel of the rest-frame grid, and both begin at the same
wavelength, so that a smooth spectrum is brought to any redshift and onto the fine grid by one
matrix product.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import spline_filter1d

from demo_sky.grids import (
    INFRARED_PIXELS,
    KM_S_PER_PIXEL,
    LOG_START,
    LOG_STEP,
    Float32Array,
    FloatArray,
)

OVERSAMPLING = 25
"""Fine pixels in one of the rest-frame grid: lines as wide as 28,000 in resolution have a sigma of
1.6 fine pixels."""
FINE_KM_S = KM_S_PER_PIXEL / OVERSAMPLING


@dataclass(frozen=True)
class Window:
    """A run of pixels.

    Attributes
    ----------
    first : int
        Pixel of the rest-frame grid (`grids.rest_wavelength`) where it begins.
    count : int
        Pixels of the rest-frame grid that it is long.
    oversampling : int
        Pixels of the window in one of those.
    """

    first: int
    count: int
    oversampling: int

    def __len__(self) -> int:
        return self.count * self.oversampling

    @property
    def log_wavelength(self) -> FloatArray:
        """log10 of the wavelength (A) of each pixel."""
        position = self.first + np.arange(len(self)) / self.oversampling
        return np.asarray(LOG_START + LOG_STEP * position)


def _window_from(start_angstrom: float, count: int, oversampling: int) -> Window:
    first = int((np.log10(start_angstrom) - LOG_START) / LOG_STEP)
    return Window(first, count, oversampling)


# Lengths are products of 2, 3, 5 and 7: transforms are fastest then.
OPTICAL_WINDOW = _window_from(3540.0, 4704, OVERSAMPLING)
"""3,540 to 10,450 A."""
H_WINDOW = _window_from(15060.0, 540, OVERSAMPLING)
"""1.506 to 1.705 um."""
COARSE_WINDOW = _window_from(3000.0, 9060, 1)
"""3,000 A to 2.415 um at 69 km/s a pixel: enough for a prism."""


def resample(spectrum: Float32Array, redshift: float, window: Window) -> Float32Array:
    """Redshift a spectrum on the long rest-frame grid onto a window of observed wavelengths.

    Cubic splines, which keep the peaks of the narrowest gas lines (60 km/s) to 4 %. Beyond its
    ends a spectrum goes on with its first and last value.
    """
    shift = float(np.log10(1.0 + redshift)) / LOG_STEP
    start = window.first - shift
    low = int(np.floor(start))
    # Two pixels more on either side for the cubic, and one for the last fraction.
    wanted = np.arange(low - 1, low + window.count + 3)
    margin = 12  # the spline's memory of its ends fades by 0.27 a pixel
    inside = np.arange(wanted[0] - margin, wanted[-1] + margin + 1)
    values = spectrum[np.clip(inside, 0, INFRARED_PIXELS - 1)]
    coefficients = spline_filter1d(values, order=3, output=np.float64)[margin:-margin]
    coefficients = coefficients.astype(np.float32)
    fraction = (start - low) + np.arange(window.oversampling) / window.oversampling
    whole = np.floor(fraction).astype(np.int64)
    t = fraction - whole
    weights = (
        np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3])
        / 6.0
    )
    table = np.zeros((5, window.oversampling), np.float32)
    for tap in range(4):
        table[whole + tap, np.arange(window.oversampling)] = weights[tap]
    views = np.lib.stride_tricks.sliding_window_view(coefficients, 5)[: window.count]
    return np.asarray((views @ table).reshape(-1), np.float32)
