"""Fibre spectrographs: how much light a fibre catches, wavelength grids, and noise."""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from demo_sky.grids import Float32Array, FloatArray
from demo_sky.sed import Light
from demo_sky.shapes import Shape


@dataclass(frozen=True)
class Spectrograph:
    """What one survey's spectra are like.

    Attributes
    ----------
    fibre_arcsec : float
        Diameter of the fibre.
    noise_wavelength_angstrom, noise_flux : tuple of float
        Noise per pixel of a faint object, 1e-17 erg/s/cm2/A.
    photon_noise : tuple of float
        Variance over flux of a bright object, at the same wavelengths.
    noise_factor, noise_scatter : float
        Typical factor on the noise, and its scatter from object to object (dex).
    resolution_pixels : float
        Sigma of the line spread in pixels.
    bad_pixel_fraction : float
    deepening_from_r, deepening : float
        Targets fainter than this r magnitude were exposed longer: noise falls by this many dex
        per magnitude, as from SDSS to BOSS and from DESI's bright to its dark programme.
    """

    fibre_arcsec: float
    noise_wavelength_angstrom: tuple[float, ...]
    noise_flux: tuple[float, ...]
    photon_noise: tuple[float, ...]
    noise_factor: float
    noise_scatter: float
    resolution_pixels: float
    bad_pixel_fraction: float
    deepening_from_r: float
    deepening: float


SDSS_SPECTROGRAPH = Spectrograph(
    3.0,
    (3800, 3850, 4000, 4500, 5500, 6500, 7500, 8500, 9200),
    (3.8, 3.2, 2.2, 1.45, 1.20, 0.95, 0.90, 1.15, 1.60),
    (0.20, 0.16, 0.11, 0.06, 0.045, 0.033, 0.030, 0.030, 0.040),
    1.0,
    0.10,
    1.0,
    0.002,
    17.8,
    0.16,
)
DESI_SPECTROGRAPH = Spectrograph(
    1.5,
    (3600, 3700, 4180, 4700, 5220, 5700, 5850, 6690, 7125, 7500, 7650, 8126, 9218, 9824),
    (2.9, 2.0, 0.62, 0.42, 0.34, 0.46, 0.30, 0.22, 0.20, 0.33, 0.28, 0.17, 0.16, 0.28),
    (0.10, 0.08, 0.035, 0.025, 0.020, 0.02, 0.018, 0.015, 0.013, 0.013, 0.012, 0.012, 0.012, 0.02),
    1.7,
    0.12,
    0.9,
    0.0015,
    18.5,
    0.12,
)


@dataclass(frozen=True)
class Spectrum:
    """An observed spectrum: arrays of one length, flux in 1e-17 erg/s/cm2/A; bad is True."""

    flux: Float32Array
    inverse_variance: Float32Array
    bad: NDArray[np.bool_]


def fibre_shares(
    shape: Shape, names: tuple[str, ...], fibre_arcsec: float, seeing_arcsec: float
) -> dict[str, float]:
    """Share of each component's light in a fibre, relative to that of a point source.

    Surveys calibrate on stars, so a point source counts fully. The growth curve is that of a
    profile between exponential and de Vaucouleurs: 1 - 2**-(r / half-light radius)**1.2, with
    the seeing added in quadrature.
    """
    blur = 0.55 * seeing_arcsec
    radius = fibre_arcsec / 2.0

    def caught(half_light_arcsec: float) -> float:
        effective = float(np.hypot(half_light_arcsec, blur))
        return float(1.0 - 2.0 ** -((radius / effective) ** 1.2))

    flattening = shape.axis_ratio**0.5
    sizes = {
        "nucleus": 0.0,
        "bulge": shape.bulge_half_light_arcsec * flattening,
        "disk": shape.half_light_arcsec * flattening,
        "knots": 1.1 * shape.half_light_arcsec * flattening,
        "arc": shape.einstein_arcsec,
    }
    return {name: min(caught(sizes[name]) / caught(0.0), 1.0) for name in names}


@functools.lru_cache(maxsize=1)
def _airglow() -> tuple[FloatArray, FloatArray]:
    """Wavelengths and strengths of night-sky lines: 5579 A, 5891 A, 6302 A and OH bands."""
    generator = np.random.default_rng(5577)
    bands = ((7240, 7520), (7710, 8080), (8270, 8510), (8620, 8960), (9100, 9580), (9700, 9900))
    wavelength = [5578.9, 5891.6, 6302.0, 6865.0]
    strength = [3.0, 0.7, 1.3, 0.3]
    for start, stop in bands:
        wavelength += list(generator.uniform(start, stop, 16))
        strength += list(generator.gamma(1.3, 0.75, 16))
    return np.array(wavelength), np.array(strength)


def sky_noise_factor(wavelength_angstrom: FloatArray, sigma_angstrom: float = 1.6) -> FloatArray:
    """Factor on the noise from night-sky lines, at least 1."""
    factor = np.ones(len(wavelength_angstrom))
    for centre, strength in zip(*_airglow(), strict=True):
        offset = (wavelength_angstrom - centre) / sigma_angstrom
        factor += strength * np.exp(-0.5 * np.minimum(offset**2, 80.0))
    return factor


def take_spectrum(
    spectrograph: Spectrograph,
    log_wavelength: FloatArray,
    sky_noise: FloatArray,
    light: Light,
    shape: Shape,
    magnitude_r: float,
    generator: np.random.Generator,
) -> Spectrum:
    """Observe a source through a fibre.

    Parameters
    ----------
    spectrograph : Spectrograph
    log_wavelength : array
        log10 of the vacuum wavelength (A) of each pixel.
    sky_noise : array
        `sky_noise_factor` at the same pixels.
    light, shape
        The source.
    magnitude_r : float
        Its brightness, which sets the exposure.
    generator : numpy.random.Generator
    """
    seeing = 1.3 * float(generator.lognormal(0.0, 0.12))
    shares = fibre_shares(shape, tuple(light.components), spectrograph.fibre_arcsec, seeing)
    true = light.observed(log_wavelength, shares)
    true = gaussian_filter1d(true, spectrograph.resolution_pixels, mode="nearest", truncate=3.0)
    # Flux calibration drifts by some per cent over the range.
    middle = 0.5 * (log_wavelength[0] + log_wavelength[-1])
    tilt = generator.normal(0.0, 0.02) + generator.normal(0.0, 0.06) * (log_wavelength - middle)
    true *= 1.0 + tilt
    wavelength = 10.0**log_wavelength
    nodes = spectrograph.noise_wavelength_angstrom
    factor = spectrograph.noise_factor * 10.0 ** generator.normal(0.0, spectrograph.noise_scatter)
    faintness = max(magnitude_r - spectrograph.deepening_from_r, 0.0)
    factor *= 10.0 ** (-spectrograph.deepening * faintness)
    sigma = np.interp(wavelength, nodes, spectrograph.noise_flux) * factor * sky_noise
    variance = sigma**2 + np.interp(wavelength, nodes, spectrograph.photon_noise) * np.maximum(
        true, 0
    )
    noise = generator.standard_normal(len(true), dtype=np.float32)
    flux = true + noise * np.sqrt(variance)
    inverse_variance = 1.0 / variance
    bad = np.zeros(len(true), bool)
    count = int(generator.poisson(spectrograph.bad_pixel_fraction * len(true) / 3.0))
    for start in generator.integers(0, len(true) - 3, count):
        bad[start : start + 3] = True
    inverse_variance[bad] = 0.0
    return Spectrum(flux.astype(np.float32), inverse_variance.astype(np.float32), bad)
