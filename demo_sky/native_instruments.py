"""Five spectrographs: pixels, resolution, throughput, and what an exposure of each collects."""

import functools
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from demo_sky.fine_grid import COARSE_WINDOW, H_WINDOW, OPTICAL_WINDOW, Window
from demo_sky.grids import Float32Array, FloatArray
from demo_sky.line_spread import line_spread, vacuum_wavelength
from demo_sky.night_sky import airglow, telluric_transmission

NATIVE_INSTRUMENTS = ("sdss", "desi", "galah", "apogee", "prism")

Curve = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Arm:
    """One detector.

    Attributes
    ----------
    wavelength_angstrom : array
        Vacuum wavelength of each pixel, ascending.
    resolution : array
        Wavelength over full width at half maximum, by pixel.
    throughput : array
        Share of the best pixel's, by pixel.
    """

    wavelength_angstrom: FloatArray
    resolution: FloatArray
    throughput: FloatArray


@dataclass(frozen=True)
class Exposure:
    """What one nominal exposure collects, and how exposures are chosen.

    Attributes
    ----------
    electrons : float
        From 1e-17 erg/s/cm2/A in the best pixel.
    sky_electrons : float
        From the sky's continuum in the best pixel.
    read_variance : float
        Of a pixel of the extracted spectrum, in electrons squared.
    signal_to_noise : float
        Median aim, per pixel; exposures are shortened or lengthened to reach it.
    shortest, longest : float
        Limits of that, over the nominal exposure.
    calibration : float
        Scatter of the flux calibration, from arm to arm and over an arm.
    cosmic_rays : float
        Hits per pixel that the extracted spectrum of a nominal exposure keeps.
    """

    electrons: float
    sky_electrons: float
    read_variance: float
    signal_to_noise: float
    shortest: float
    longest: float
    calibration: float
    cosmic_rays: float


@dataclass(frozen=True)
class Instrument:
    """A spectrograph.

    Attributes
    ----------
    name : str
    fibre_arcsec : float
        Diameter of the fibre, or width of the slit.
    window : Window
        Fine grid that its pixels are made from.
    arms : tuple of slice
        Pixels of each detector, blue to red. Pixels in no arm carry no light.
    wavelength_angstrom, resolution : array
        Of all pixels. Ascending within an arm; arms may overlap.
    throughput : array
        Share of the best pixel's, 0 in no arm.
    transmission, sky : array
        Of the atmosphere, and brightness of the sky over its continuum.
    line_spread : csr_array
        From the window to the pixels.
    broken : array of bool
        Pixels that never work.
    exposure : Exposure
    """

    name: str
    fibre_arcsec: float
    window: Window
    arms: tuple[slice, ...]
    wavelength_angstrom: FloatArray
    resolution: FloatArray
    throughput: Float32Array
    transmission: Float32Array
    sky: Float32Array
    line_spread: csr_array
    broken: NDArray[np.bool_]
    exposure: Exposure


def _arm(wavelength: FloatArray, resolution: Curve, throughput: Curve) -> Arm:
    return Arm(wavelength, np.interp(wavelength, *resolution), np.interp(wavelength, *throughput))


def _sdss_arms() -> tuple[Arm, ...]:
    """3,598 to 10,373 A in steps of 1e-4 dex, both cameras joined (BOSS; Smee et al. 2013)."""
    wavelength: FloatArray = 10.0 ** (3.556 + 1e-4 * np.arange(4600, dtype=np.float64))
    resolution = (
        (3600.0, 5000.0, 6000.0, 6400.0, 8000.0, 10400.0),
        (1450.0, 1950.0, 2100.0, 1850.0, 2250.0, 2500.0),
    )
    throughput = (
        (3600.0, 3800.0, 4000.0, 4500.0, 5500.0, 5900.0, 6300.0, 7000.0, 8000.0, 9000.0, 10380.0),
        (0.08, 0.20, 0.40, 0.75, 0.90, 0.72, 0.95, 1.0, 0.90, 0.62, 0.10),
    )
    return (_arm(wavelength, resolution, throughput),)


def _desi_arms() -> tuple[Arm, ...]:
    """Three arms on steps of 0.8 A that overlap (DESI Collaboration 2022, AJ 164, 207)."""
    arms = (
        (3600.0, 2751, (1900.0, 3100.0), (0.12, 0.30, 0.65, 0.93, 1.0, 0.85, 0.45, 0.10)),
        (5760.0, 2326, (3100.0, 4200.0), (0.10, 0.45, 0.85, 0.97, 1.0, 0.95, 0.60, 0.10)),
        (7520.0, 2881, (3900.0, 5200.0), (0.10, 0.45, 0.85, 1.0, 1.0, 0.90, 0.70, 0.35)),
    )
    shares = (0.0, 0.08, 0.25, 0.5, 0.72, 0.9, 0.97, 1.0)
    result = []
    for start, count, resolution, throughput in arms:
        # Multiples of 0.1 A, so that arms meet in the very same wavelengths.
        wavelength = np.round(start + 0.8 * np.arange(count), 1)
        ends = (float(wavelength[0]), float(wavelength[-1]))
        nodes = tuple(ends[0] + share * (ends[1] - ends[0]) for share in shares)
        result.append(_arm(wavelength, (ends, resolution), (nodes, throughput)))
    return tuple(result)


def _blaze(count: int, loss: float) -> FloatArray:
    """Echelle efficiency: best in the middle, `loss` less at the ends, and vignetted there."""
    place = np.linspace(-1.0, 1.0, count)
    vignetting = np.clip((1.0 - np.abs(place)) / 0.04, 0.35, 1.0)
    return np.asarray((1.0 - loss * place**2) * vignetting)


def _galah_arms() -> tuple[Arm, ...]:
    """Four arms, linear in air wavelength as released (De Silva et al. 2015; Buder et al. 2021)."""
    arms = ((4713.0, 0.0460), (5648.0, 0.0547), (6478.0, 0.0632), (7585.0, 0.0736))
    place = np.linspace(-1.0, 1.0, 4096)
    result = []
    for start, step in arms:
        wavelength = vacuum_wavelength(start + step * np.arange(4096, dtype=np.float64))
        resolution = 28000.0 * (1.03 - 0.08 * place**2)
        result.append(Arm(wavelength, resolution, _blaze(4096, 0.40)))
    return tuple(result)


APOGEE_PIXELS = 8575
APOGEE_CHIPS = ((322, 3243), (3648, 6049), (6412, 8307))
"""Pixels of the combined spectra that the three chips cover (the rest is gaps)."""


def _apogee_wavelength() -> FloatArray:
    """Steps of 6e-6 dex from 10^4.179 A, as in combined spectra (Nidever et al. 2015)."""
    return np.asarray(10.0 ** (4.179 + 6e-6 * np.arange(APOGEE_PIXELS)))


def _prism_arms() -> tuple[Arm, ...]:
    """A prism from 3,400 A to 2.4 um: resolution 100 to 30 to 300, steps near a half element.

    No instrument in particular, but as the prism of NIRSpec is at longer wavelengths: dispersion is
    least in the middle. Steps jitter by a tenth, drawn once, so that no formula gives the grid.
    """
    generator = np.random.default_rng(340024000)
    nodes = ((3400.0, 5500.0, 9500.0, 16000.0, 24000.0), (100.0, 60.0, 30.0, 120.0, 300.0))
    wavelength = [3400.0]
    while True:
        resolution = float(np.interp(wavelength[-1], *nodes))
        step = wavelength[-1] / resolution / 2.2 * generator.uniform(0.9, 1.1)
        if wavelength[-1] + step > 24000.0:
            break
        wavelength.append(wavelength[-1] + step)
    throughput = ((3400.0, 5000.0, 10000.0, 20000.0, 24000.0), (0.35, 0.7, 1.0, 0.9, 0.6))
    return (_arm(np.array(wavelength), nodes, throughput),)


# Set by hand so that nominal exposures have signal-to-noise ratios, per pixel, as usual in these
# surveys: SDSS 20 and DESI 30 at r = 17.5, GALAH 45 at r = 14, APOGEE 90 at H = 12.2 (Vega).
_EXPOSURES = {
    "sdss": Exposure(30.0, 600.0, 110.0, 40.0, 0.01, 4.0, 0.02, 8e-4),
    "desi": Exposure(70.0, 600.0, 90.0, 40.0, 0.01, 5.0, 0.02, 8e-4),
    "galah": Exposure(4.0, 13.0, 250.0, 60.0, 0.05, 8.0, 0.04, 6e-4),
    "apogee": Exposure(70.0, 900.0, 900.0, 110.0, 0.05, 12.0, 0.02, 6e-4),
    "prism": Exposure(900.0, 400.0, 300.0, 70.0, 0.01, 4.0, 0.02, 2e-3),
}
_FIBRES_ARCSEC = {"sdss": 2.0, "desi": 1.5, "galah": 2.0, "apogee": 2.0, "prism": 1.0}


@functools.lru_cache(maxsize=len(NATIVE_INSTRUMENTS))
def native_instrument(name: str) -> Instrument:
    """Return one of `NATIVE_INSTRUMENTS`.

    Raises
    ------
    ValueError
        For any other name.
    """
    if name not in NATIVE_INSTRUMENTS:
        raise ValueError(f"instrument must be one of {NATIVE_INSTRUMENTS}, got {name!r}")
    if name == "apogee":
        wavelength = _apogee_wavelength()
        resolution = np.interp(wavelength, [15100, 16000, 17000], [21500.0, 23000.0, 22500.0])
        throughput = np.zeros(APOGEE_PIXELS)
        slices = tuple(slice(*chip) for chip in APOGEE_CHIPS)
        for chip in slices:
            throughput[chip] = _blaze(chip.stop - chip.start, 0.2)
        window = H_WINDOW
        matrix = line_spread(window, wavelength, resolution)
    else:
        makers = {
            "sdss": _sdss_arms,
            "desi": _desi_arms,
            "galah": _galah_arms,
            "prism": _prism_arms,
        }
        arms = makers[name]()
        wavelength = np.concatenate([arm.wavelength_angstrom for arm in arms])
        resolution = np.concatenate([arm.resolution for arm in arms])
        throughput = np.concatenate([arm.throughput for arm in arms])
        ends = np.cumsum([0, *(len(arm.throughput) for arm in arms)])
        slices = tuple(slice(int(a), int(b)) for a, b in pairwise(ends))
        window = COARSE_WINDOW if name == "prism" else OPTICAL_WINDOW
        matrix = vstack(
            [line_spread(window, arm.wavelength_angstrom, arm.resolution) for arm in arms],
            format="csr",
        )
    if name == "prism":
        # In space: no atmosphere, and a smooth zodiacal sky.
        transmission, sky = np.ones(len(wavelength)), np.ones(len(wavelength))
    else:
        transmission = matrix @ telluric_transmission(window)
        sky = 1.0 + matrix @ airglow(window)
    generator = np.random.default_rng([0xBAD, NATIVE_INSTRUMENTS.index(name)])
    broken = np.zeros(len(wavelength), bool)
    for start in generator.integers(0, len(wavelength) - 3, max(len(wavelength) // 1200, 1)):
        broken[start : start + int(generator.integers(1, 4))] = True
    return Instrument(
        name,
        _FIBRES_ARCSEC[name],
        window,
        slices,
        wavelength,
        resolution,
        throughput.astype(np.float32),
        np.asarray(transmission, np.float32),
        np.asarray(sky, np.float32),
        matrix,
        broken,
        _EXPOSURES[name],
    )
