"""What the near infrared adds to the spectra of stars: beyond 1.2 um, where the optical grid ends.

The 1.6 um bump of cool stars (the minimum of H- opacity), the Brackett series, bands of carbon
monoxide and, below 4,000 K, of water. As in `stellar_spectra`, strengths are set by eye to look
like published spectra; positions are measured ones.
"""

import functools

import numpy as np

from demo_sky.grids import FloatArray

RYDBERG_ANGSTROM = 911.763
CARBON_MONOXIDE_HEADS: tuple[tuple[float, float], ...] = (
    (15582.0, 0.5),
    (15780.0, 0.7),
    (15982.0, 0.9),
    (16189.0, 1.0),
    (16397.0, 0.9),
    (16610.0, 0.8),
    (16840.0, 0.7),
    (22935.0, 2.2),
    (23227.0, 2.0),
    (23525.0, 1.7),
    (23829.0, 1.4),
)
"""Second and first overtone: vacuum wavelength (A) of the band heads and relative strength
(heads of Kleinmann & Hall 1986 and Origlia et al. 1993, to about 3 A)."""

_WATER_BANDS = ((14000.0, 900.0, 0.55), (18900.0, 1100.0, 0.75), (26500.0, 1800.0, 0.7))
_LAST_BRACKETT = 20


@functools.lru_cache(maxsize=1)
def infrared_forest() -> FloatArray:
    """Blends of metal lines from 1.1 to 2.43 um at 5,000 K: centre, width sigma (A), depth.

    One blend in about 10 A at 1.6 um, half the mean depth of the red optical blends: giants of
    solar abundance lose some 4 % of their light there.
    """
    generator = np.random.default_rng(16001700)
    centres = 11000.0 * (24300.0 / 11000.0) ** generator.random(1300)
    depth = 0.045 * generator.exponential(size=len(centres))
    return np.stack([centres, 2.3e-4 * centres, depth], axis=1)


def carbon_monoxide_strength(temperature_k: float, log_gravity: float, metallicity: float) -> float:
    """Optical depth of CO bands of relative strength 1: none above 6,000 K, most in giants."""
    cool = 1.0 / (1.0 + np.exp((temperature_k - 4450.0) / 350.0))
    return float(0.20 * cool * 10.0 ** (0.5 * metallicity - 0.16 * (log_gravity - 2.5)))


def infrared_factor(
    wave: FloatArray,
    temperature_k: float,
    log_gravity: float,
    metallicity: float,
    hydrogen: float,
) -> FloatArray:
    """Factor on a star's spectrum at rest wavelengths in A; 1 below 1.1 um.

    Parameters
    ----------
    temperature_k, log_gravity, metallicity : float
        As of `stellar_spectra.model_atmosphere`.
    hydrogen : float
        Strength of hydrogen lines, 1 at their strongest.
    """
    factor = np.ones_like(wave)
    first = int(np.searchsorted(wave, 11000.0))
    red = wave[first:]
    optical_depth = np.zeros_like(red)
    pressure = 10.0 ** (0.28 * (log_gravity - 4.0))
    # Pressure dissolves the high members of white dwarfs.
    last = 9 if log_gravity > 6.5 else _LAST_BRACKETT
    for upper in range(5, last + 1):
        centre = RYDBERG_ANGSTROM / (1.0 / 16.0 - 1.0 / upper**2)
        depth = 0.30 * hydrogen * (1.0 - 0.03 * (upper - 5))
        half_width = 16.0 * pressure * (0.45 + 0.55 * hydrogen) / (1.0 + 0.05 * (upper - 5))
        offset = (red - centre) / half_width
        optical_depth += depth * np.exp(-np.abs(offset) / 9) * 0.75 / (1.0 + offset**2)
    monoxide = carbon_monoxide_strength(temperature_k, log_gravity, metallicity)
    for head, relative in CARBON_MONOXIDE_HEADS:
        rise = 0.5 + 0.5 * np.tanh((red - head) / 6.0)
        fall = np.exp(-np.maximum(red - head, 0.0) / (0.006 * head))
        optical_depth += monoxide * relative * rise * fall
    if log_gravity < 6.5:
        water = 1.3 / (1.0 + np.exp((temperature_k - 3150.0) / 230.0))
        for centre, width, depth in _WATER_BANDS:
            optical_depth += water * depth * np.exp(-0.5 * ((red - centre) / width) ** 2)
        cool = 1.0 / (1.0 + np.exp((temperature_k - 5600.0) / 700.0))
        optical_depth -= 0.22 * cool * np.exp(-0.5 * ((red - 16300.0) / 1500.0) ** 2)
    factor[first:] = np.exp(-optical_depth)
    return factor
