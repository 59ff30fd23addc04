"""Observations that are none: what an out-of-distribution verdict must catch, and what it must not.

Each takes a real observation and keeps as much of it as the disturbance allows, so that flux scale,
mask and pixel grid do not give it away.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from aion_encoder.observations import GaiaXp, Image, Observation, Spectrum

__all__ = ["HARMLESS", "STRANGE", "Change"]

Change = Callable[[Any, np.random.Generator], Observation]
"""Of an observation of its modality and a generator of random numbers."""

NORMAL_MAD = 1.4826
_STARS = 60
_STAR_WIDTH_PX = 1.8


def _plain(image: Image) -> np.ndarray[Any, Any]:
    """Return the flux, bad pixels filled with the median of their band."""
    flux = np.where(np.asarray(image.mask), np.nan, image.flux).astype(np.float64)
    middle = np.nan_to_num(np.nanmedian(flux, axis=(1, 2), keepdims=True))
    return np.where(np.isfinite(flux), flux, middle)


def _sky(flux: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return level and deviation of the sky of every band, by median and median deviation."""
    middle = np.median(flux, axis=(1, 2), keepdims=True)
    spread = NORMAL_MAD * np.median(np.abs(flux - middle), axis=(1, 2), keepdims=True)
    return middle, np.maximum(spread, 1e-3 * flux.std(axis=(1, 2), keepdims=True) + 1e-9)


def _image(image: Image, flux: np.ndarray[Any, Any]) -> Image:
    return replace(image, flux=flux.astype(np.float32), mask=None)


def rotated(image: Image, _: np.random.Generator) -> Image:
    """Turn a picture by a quarter."""
    flux, mask = (
        np.rot90(np.asarray(each), axes=(1, 2)).copy() for each in (image.flux, image.mask)
    )
    return replace(image, flux=flux, mask=mask)


def shuffled_pixels(image: Image, rng: np.random.Generator) -> Image:
    """Put the pixels of a picture into random order, the same in every band: colours stay."""
    flux = _plain(image)
    order = rng.permutation(flux[0].size)
    return _image(image, flux.reshape(len(flux), -1)[:, order].reshape(flux.shape))


def image_noise(image: Image, rng: np.random.Generator) -> Image:
    """Keep of a picture nothing but the level and the noise of its sky."""
    middle, spread = _sky(_plain(image))
    return _image(image, middle + spread * rng.standard_normal(image.flux.shape))


def gradient(image: Image, rng: np.random.Generator) -> Image:
    """Replace a picture by a slope of the same range, with the noise of its sky."""
    flux = _plain(image)
    middle, spread = _sky(flux)
    height, width = flux.shape[1:]
    angle = rng.uniform(0.0, 2.0 * np.pi)
    y, x = np.mgrid[:height, :width]
    slope = np.cos(angle) * x / width + np.sin(angle) * y / height
    slope = (slope - slope.min()) / np.ptp(slope)
    top = flux.max(axis=(1, 2), keepdims=True) - middle
    return _image(image, middle + top * slope + spread * rng.standard_normal(flux.shape))


def bands_reversed(image: Image, _: np.random.Generator) -> Image:
    """Give every band the pixels of the one that is as far from the other end."""
    return _image(image, _plain(image)[::-1])


def star_field(image: Image, rng: np.random.Generator) -> Image:
    """Replace a picture by a crowd of stars, the brightest as bright as its brightest pixel."""
    flux = _plain(image)
    middle, spread = _sky(flux)
    height, width = flux.shape[1:]
    y, x = np.mgrid[:height, :width]
    stars = np.zeros((height, width))
    for _ in range(_STARS):
        row, column = rng.uniform(0, height), rng.uniform(0, width)
        apart = (y - row) ** 2 + (x - column) ** 2
        stars += rng.pareto(1.5) * np.exp(-0.5 * apart / _STAR_WIDTH_PX**2)
    stars /= stars.max()
    top = flux.max(axis=(1, 2), keepdims=True) - middle
    return _image(image, middle + top * stars + spread * rng.standard_normal(flux.shape))


def _spectrum(spectrum: Spectrum, flux: np.ndarray[Any, Any]) -> Spectrum:
    bad = np.asarray(spectrum.mask)
    return replace(spectrum, flux=np.where(bad, 0.0, flux).astype(np.float32))


def _good(spectrum: Spectrum) -> np.ndarray[Any, Any]:
    return np.flatnonzero(~np.asarray(spectrum.mask))


def noised(spectrum: Spectrum, rng: np.random.Generator) -> Spectrum:
    """Add the noise of a spectrum once more, as half the exposure time would."""
    good = _good(spectrum)
    flux = spectrum.flux.astype(np.float64).copy()
    flux[good] += rng.standard_normal(len(good)) / np.sqrt(spectrum.ivar[good])
    ivar = 0.5 * spectrum.ivar
    return replace(_spectrum(spectrum, flux), ivar=ivar.astype(np.float32))


def shuffled_flux(spectrum: Spectrum, rng: np.random.Generator) -> Spectrum:
    """Put the pixels of a spectrum into random order."""
    good = _good(spectrum)
    flux = spectrum.flux.copy()
    flux[good] = flux[rng.permutation(good)]
    return _spectrum(spectrum, flux)


def spectrum_noise(spectrum: Spectrum, rng: np.random.Generator) -> Spectrum:
    """Keep of a spectrum nothing but its median and its scatter."""
    flux = spectrum.flux[_good(spectrum)].astype(np.float64)
    middle, spread = np.median(flux), max(flux.std(), 1e-6)
    return _spectrum(spectrum, middle + spread * rng.standard_normal(len(spectrum.flux)))


def reversed_flux(spectrum: Spectrum, _: np.random.Generator) -> Spectrum:
    """Exchange the red and the blue end of a spectrum."""
    good = _good(spectrum)
    flux = spectrum.flux.copy()
    flux[good] = flux[good[::-1]]
    return _spectrum(spectrum, flux)


def ramp(spectrum: Spectrum, _: np.random.Generator) -> Spectrum:
    """Replace a spectrum by a straight line between its 2 % and 98 % quantiles, without noise."""
    flux = spectrum.flux[_good(spectrum)]
    low, high = np.quantile(flux, [0.02, 0.98])
    return _spectrum(spectrum, np.linspace(low, high + 1e-3, len(spectrum.flux)))


def comb(spectrum: Spectrum, rng: np.random.Generator) -> Spectrum:
    """Add equally spaced lines, as the lamp of a spectrograph has them."""
    flux = spectrum.flux.astype(np.float64)
    good = _good(spectrum)
    spacing, start = rng.uniform(80.0, 200.0), rng.uniform(0.0, 80.0)
    apart = (spectrum.wavelength_angstrom - start + 0.5 * spacing) % spacing - 0.5 * spacing
    height = 5.0 * (np.abs(np.median(flux[good])) + flux[good].std())
    return _spectrum(spectrum, flux + height * np.exp(-0.5 * (apart / 4.0) ** 2))


def shuffled_coefficients(xp: GaiaXp, rng: np.random.Generator) -> GaiaXp:
    """Put the coefficients of BP and of RP into random order."""
    return GaiaXp(rng.permutation(xp.bp), rng.permutation(xp.rp))


def coefficient_noise(xp: GaiaXp, rng: np.random.Generator) -> GaiaXp:
    """Replace coefficients by noise of their deviation."""
    return GaiaXp(*(each.std() * rng.standard_normal(55) for each in (xp.bp, xp.rp)))


HARMLESS: Mapping[str, Mapping[str, Change]] = {
    "image": {"turned by 90 degrees": rotated},
    "spectrum": {"its noise added once more": noised},
    "xp": {},
}
"""What changes nothing about the object: a verdict must let it pass. By modality and name."""

STRANGE: Mapping[str, Mapping[str, Change]] = {
    "image": {
        "pixels shuffled": shuffled_pixels,
        "noise of the sky": image_noise,
        "gradient": gradient,
        "star field": star_field,
        "bands reversed": bands_reversed,
    },
    "spectrum": {
        "pixels shuffled": shuffled_flux,
        "white noise": spectrum_noise,
        "straight line": ramp,
        "red and blue exchanged": reversed_flux,
        "comb of lines": comb,
    },
    "xp": {
        "coefficients shuffled": shuffled_coefficients,
        "white noise": coefficient_noise,
    },
}
"""What is none of the sky: a verdict should catch it. By modality and name."""
