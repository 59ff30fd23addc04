"""The rest-frame wavelength grid on which every spectrum is built, and extinction laws.

The grid has two lengths: the optical one, to 1.21 um, that the five releases are made on, and one
to 2.43 um that begins with the same wavelengths. Functions that make a spectrum take the number of
pixels; functions that change one go by its length.
"""

import functools

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]

LOG_STEP = 1e-4
"""Step in log10(wavelength): 69 km/s, the step of SDSS spectra."""

LOG_START = np.log10(650.0)
OPTICAL_PIXELS = 12700
INFRARED_PIXELS = 15725
LOG_WAVELENGTH: FloatArray = LOG_START + LOG_STEP * np.arange(OPTICAL_PIXELS)
WAVELENGTH_ANGSTROM: FloatArray = 10.0**LOG_WAVELENGTH
_LOG_TAIL = LOG_START + LOG_STEP * np.arange(OPTICAL_PIXELS, INFRARED_PIXELS)
# Joined, not computed anew: the optical part of the long grid is the optical grid, bit for bit.
_LONG_LOG_WAVELENGTH: FloatArray = np.concatenate([LOG_WAVELENGTH, _LOG_TAIL])
_LONG_WAVELENGTH: FloatArray = np.concatenate([WAVELENGTH_ANGSTROM, 10.0**_LOG_TAIL])
KM_S_PER_PIXEL = LOG_STEP * np.log(10.0) * 299792.458


def rest_wavelength(pixels: int) -> FloatArray:
    """First `pixels` wavelengths (A) of the rest-frame grid, at most `INFRARED_PIXELS`."""
    return _LONG_WAVELENGTH[:pixels]


def rest_log_wavelength(pixels: int) -> FloatArray:
    """Return log10 of the first `pixels` wavelengths (A) of the rest-frame grid."""
    return _LONG_LOG_WAVELENGTH[:pixels]


@functools.lru_cache(maxsize=2)
def calzetti_curve(pixels: int = OPTICAL_PIXELS) -> Float32Array:
    """Dust curve of star-forming galaxies, A(wavelength) / E(B-V) (Calzetti et al. 2000, eq. 4).

    Below 1200 A, where the law is not defined, it is continued with its slope there.
    """
    wavelength = rest_wavelength(pixels)
    micron = np.maximum(wavelength, 1200.0) / 1e4
    blue = 2.659 * (-2.156 + 1.509 / micron - 0.198 / micron**2 + 0.011 / micron**3) + 4.05
    red = 2.659 * (-1.857 + 1.040 / micron) + 4.05
    curve = np.where(micron < 0.63, blue, red)
    curve = curve + 8.0 * (1200.0 / np.minimum(wavelength, 1200.0) - 1.0)
    return np.maximum(curve, 0.0).astype(np.float32)


@functools.lru_cache(maxsize=2)
def power_law_dust_curve(pixels: int = OPTICAL_PIXELS) -> Float32Array:
    """Steep curve without a 2175 A bump, A / E(B-V), as in the Small Magellanic Cloud."""
    return (2.93 * (rest_wavelength(pixels) / 5500.0) ** -1.2).astype(np.float32)


def milky_way_extinction_mag(wavelength_angstrom: FloatArray, ebv: float) -> FloatArray:
    """Extinction by the Milky Way, in magnitudes, from a smooth R_V = 3.1 power law.

    Parameters
    ----------
    wavelength_angstrom : array
        Observed wavelengths.
    ebv : float
        Colour excess E(B-V) in magnitudes.
    """
    law: FloatArray = 3.1 * ebv * (wavelength_angstrom / 5450.0) ** -1.32
    return law
