"""Light of galaxies' stars: coeval populations of several ages, mixed by mass.

A population is a sum of three kinds of stars from `stellar_spectra`: the hottest still on the main
sequence, red giants, and cool bright giants. Turn-off temperatures, light shares and mass-to-light
ratios follow the trends of published population synthesis in round numbers. Spectra are
luminosities in erg/s/A per solar mass of stars formed.
"""

import functools

import numpy as np

from demo_sky.grids import OPTICAL_PIXELS, Float32Array, FloatArray, rest_wavelength
from demo_sky.stellar_spectra import star_spectrum

AGES_GYR: FloatArray = np.array([0.006, 0.03, 0.1, 0.3, 1.0, 3.0, 6.0, 12.0])
METALLICITIES: FloatArray = np.array([-1.2, -0.5, 0.0, 0.3])

_TURN_OFF_K = (33000.0, 19000.0, 13000.0, 9800.0, 7900.0, 6500.0, 6000.0, 5700.0)
# Shares of the light at 6,000 A: main sequence, red giants (4,700 K), cool giants (3,700 K).
_SHARES = (
    (0.90, 0.04, 0.06),
    (0.82, 0.06, 0.12),
    (0.85, 0.07, 0.08),
    (0.82, 0.12, 0.06),
    (0.66, 0.24, 0.10),
    (0.56, 0.34, 0.10),
    (0.50, 0.38, 0.12),
    (0.44, 0.43, 0.13),
)
# Light at 6,000 A over that of the Sun, per solar mass formed.
_LIGHT_PER_MASS = (22.0, 11.0, 5.5, 3.0, 1.25, 0.55, 0.33, 0.20)
_SUN_AT_6000_ERG_S_A = 6.0e29


@functools.lru_cache(maxsize=2)
def _populations(pixels: int) -> Float32Array:
    """Spectra of shape (age, metallicity, wavelength)."""
    table = np.empty((len(AGES_GYR), len(METALLICITIES), pixels), np.float32)
    at_6000 = int(np.searchsorted(rest_wavelength(pixels), 6000.0))
    for i, (turn_off, shares, light) in enumerate(
        zip(_TURN_OFF_K, _SHARES, _LIGHT_PER_MASS, strict=True)
    ):
        for j, metallicity in enumerate(METALLICITIES):
            shift = 10.0 ** (-0.035 * metallicity)  # metal-poor stars are hotter
            kinds = (
                (turn_off * shift, 4.4),
                (4750.0 * shift**1.5, 2.3),
                (3700.0 * shift**1.5, 2.0),
            )
            spectrum = np.zeros(pixels)
            for share, (temperature, gravity) in zip(shares, kinds, strict=True):
                star = star_spectrum(temperature, gravity, metallicity, pixels)
                spectrum += share * star / star[at_6000 - 40 : at_6000 + 40].mean()
            table[i, j] = spectrum * light * _SUN_AT_6000_ERG_S_A
    return table


def population_spectrum(
    mass_by_age: FloatArray, metallicity: float, pixels: int = OPTICAL_PIXELS
) -> Float32Array:
    """Spectrum of a mixture of ages at one metallicity.

    Parameters
    ----------
    mass_by_age : array, shape (8,)
        Solar masses formed in each bin of `AGES_GYR`.
    metallicity : float
        [M/H]; clipped to the range of `METALLICITIES`.
    pixels : int
        Length of the spectrum on the rest-frame grid.

    Returns
    -------
    array
        erg/s/A on `grids.rest_wavelength`.
    """
    table = _populations(pixels)
    low = int(np.clip(np.searchsorted(METALLICITIES, metallicity) - 1, 0, len(METALLICITIES) - 2))
    step = METALLICITIES[low + 1] - METALLICITIES[low]
    fraction = float(np.clip((metallicity - METALLICITIES[low]) / step, 0.0, 1.0))
    weights = np.outer(mass_by_age, [1.0 - fraction, fraction]).astype(np.float32)
    return np.asarray(np.tensordot(weights, table[:, low : low + 2], axes=2), np.float32)


def star_formation_history(
    specific_rate_per_gyr: float, oldest_share: FloatArray
) -> tuple[FloatArray, float]:
    """Mass formed per age bin for one solar mass of stars today.

    Parameters
    ----------
    specific_rate_per_gyr : float
        Star formation rate of the last 0.2 Gyr over the stellar mass.
    oldest_share : array, shape (3,)
        Relative mass of the 3, 6 and 12 Gyr bins.

    Returns
    -------
    mass_by_age : array, shape (8,)
    rate_per_mass_yr : float
        The same rate per year.
    """
    durations_gyr = np.array([0.012, 0.05, 0.14, 0.4])
    young = specific_rate_per_gyr * durations_gyr
    intermediate = min(specific_rate_per_gyr * 0.9, 0.35)
    recent = young.sum() + intermediate
    if recent > 0.7:
        young, intermediate = young * 0.7 / recent, intermediate * 0.7 / recent
        specific_rate_per_gyr *= 0.7 / recent
        recent = 0.7
    old = (1.0 - recent) * oldest_share / oldest_share.sum()
    return np.concatenate([young, [intermediate], old]), specific_rate_per_gyr / 1e9
