"""The rest-frame wavelength grid on which every spectrum is built, and extinction laws."""

import functools

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]

LOG_STEP = 1e-4
"""Step in log10(wavelength): 69 km/s, the step of SDSS spectra."""

LOG_START = np.log10(650.0)
LOG_WAVELENGTH: FloatArray = LOG_START + LOG_STEP * np.arange(12700)
WAVELENGTH_ANGSTROM: FloatArray = 10.0**LOG_WAVELENGTH
KM_S_PER_PIXEL = LOG_STEP * np.log(10.0) * 299792.458


@functools.lru_cache(maxsize=1)
def calzetti_curve() -> Float32Array:
    """Dust curve of star-forming galaxies, A(wavelength) / E(B-V) (Calzetti et al. 2000, eq. 4).

    Below 1200 A, where the law is not defined, it is continued with its slope there.
    """
    micron = np.maximum(WAVELENGTH_ANGSTROM, 1200.0) / 1e4
    blue = 2.659 * (-2.156 + 1.509 / micron - 0.198 / micron**2 + 0.011 / micron**3) + 4.05
    red = 2.659 * (-1.857 + 1.040 / micron) + 4.05
    curve = np.where(micron < 0.63, blue, red)
    curve = curve + 8.0 * (1200.0 / np.minimum(WAVELENGTH_ANGSTROM, 1200.0) - 1.0)
    return np.maximum(curve, 0.0).astype(np.float32)


@functools.lru_cache(maxsize=1)
def power_law_dust_curve() -> Float32Array:
    """Steep curve without a 2175 A bump, A / E(B-V), as in the Small Magellanic Cloud."""
    return (2.93 * (WAVELENGTH_ANGSTROM / 5500.0) ** -1.2).astype(np.float32)


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
