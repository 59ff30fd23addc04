"""Single lines of stars: what `stellar_spectra` blends, resolved.

Every blend of the low-resolution model is the mean of ten lines that lie within its width and share
out its equivalent width; carbon monoxide and titanium oxide bands are split into lines of their
own, and strong lines are at their measured places. The list is drawn once, from fixed seeds: it
is part of the model, not of a sky.

A star's spectrum is then the model without lines times the transmission of the lines, times a slow
factor that makes the mean over some 3,000 km/s what it is in the low-resolution model: colours and
broad features agree, whatever the lines do.
"""

import functools

import numpy as np
from scipy.fft import irfft, rfft
from scipy.ndimage import gaussian_filter1d
from scipy.special import voigt_profile

from demo_sky.fine_grid import FINE_KM_S, H_WINDOW, OPTICAL_WINDOW, Window
from demo_sky.grids import Float32Array, FloatArray
from demo_sky.line_strengths import ABSORBER_NUMBER, ABSORBERS, line_strengths
from demo_sky.stellar_infrared import CARBON_MONOXIDE_HEADS, infrared_forest
from demo_sky.stellar_spectra import iron_forest
from demo_sky.strong_lines import STRONG_LINES

LINES_PER_BLEND = 10
DEEPEST = 0.90
"""Largest depth of a line: the source function at the surface leaves some light in any core."""
DOPPLER_KM_S = 3.2
"""Sigma of a line from heat and small-scale motions."""
_MEAN_OVER_PIXELS = 43.0
"""Sigma of the running mean, in pixels of the rest-frame grid: 3,000 km/s."""

# Shares of the lines in a blend by absorber.
_OPTICAL_MIX = {
    "Fe I low": 0.17,
    "Fe I middle": 0.20,
    "Fe I high": 0.16,
    "Ti I": 0.11,
    "Ni I": 0.08,
    "Ca I": 0.04,
    "Si I": 0.05,
    "Fe II": 0.06,
    "Ti II": 0.05,
    "CN": 0.08,
}
_H_BAND_MIX = {
    "Fe I middle": 0.10,
    "Fe I high": 0.32,
    "Si I": 0.10,
    "Mg I": 0.06,
    "Ni I": 0.05,
    "Ti I": 0.05,
    "OH": 0.13,
    "CN": 0.19,
}


@functools.lru_cache(maxsize=1)
def line_list() -> tuple[FloatArray, FloatArray, np.ndarray]:
    """All lines without damping wings.

    Returns
    -------
    centre : array
        Vacuum wavelength (A), ascending.
    width : array
        Integral of optical depth over wavelength (A) at the absorber's reference.
    absorber : array
        Number of the absorber in `line_strengths.ABSORBERS`.
    """
    generator = np.random.default_rng(20111859)
    centres, widths, numbers = [], [], []
    for blends, mix in ((iron_forest(), _OPTICAL_MIX), (infrared_forest(), _H_BAND_MIX)):
        count = len(blends)
        offset = generator.standard_normal((count, LINES_PER_BLEND))
        share = generator.dirichlet(np.full(LINES_PER_BLEND, 0.5), count)
        kind = generator.choice(
            [ABSORBER_NUMBER[name] for name in mix],
            (count, LINES_PER_BLEND),
            p=np.array(list(mix.values())),
        )
        centre, sigma, depth = (column[:, None] for column in blends.T)
        centres.append((centre + sigma * offset).ravel())
        widths.append((depth * sigma * np.sqrt(2.0 * np.pi) * share).ravel())
        numbers.append(kind.ravel())
    for head, relative in CARBON_MONOXIDE_HEADS[:7]:
        # Lines of the R branch pile up at the head and spread with the square of their number.
        step = np.arange(60)
        centres.append(head * (1.0 + 4.5e-6 * (step + 0.5) ** 2))
        widths.append(0.22 * relative * np.exp(-(((step - 18.0) / 20.0) ** 2)))
        numbers.append(np.full(60, ABSORBER_NUMBER["CO"]))
    titanium = 14000
    centres.append(generator.uniform(4700.0, 9000.0, titanium))
    widths.append(0.016 * generator.exponential(size=titanium))
    numbers.append(np.full(titanium, ABSORBER_NUMBER["TiO"]))
    centre, width, number = (np.concatenate(part) for part in (centres, widths, numbers))
    order = np.argsort(centre, kind="stable")
    return centre[order], width[order], number[order]


@functools.lru_cache(maxsize=2)
def _templates(window: Window) -> Float32Array:
    """Optical depth of each absorber at strength 1 on a window, shape (absorber, pixel)."""
    log_wavelength = window.log_wavelength
    wavelength = 10.0**log_wavelength
    templates = np.zeros((len(ABSORBERS), len(window)))
    centre, width, number = line_list()
    step = log_wavelength[1] - log_wavelength[0]
    position = (np.log10(centre) - log_wavelength[0]) / step
    inside = (position > 10) & (position < len(window) - 10)
    centre, width, number, position = (part[inside] for part in (centre, width, number, position))
    sigma = DOPPLER_KM_S / FINE_KM_S
    nearest = np.round(position).astype(np.int64)[:, None] + np.arange(-6, 7)
    profile = np.exp(-0.5 * ((nearest - position[:, None]) / sigma) ** 2)
    pixel_angstrom = centre * step * np.log(10.0)
    height = width / pixel_angstrom / (sigma * np.sqrt(2.0 * np.pi))
    np.add.at(templates, (number[:, None], nearest), profile * height[:, None])
    for line, name, integral, lorentz in STRONG_LINES:
        reach = 12.0 + 60.0 * lorentz
        low, high = np.searchsorted(wavelength, [line - reach, line + reach])
        offset = wavelength[low:high] - line
        # Hydrogen is light, hence fast: 11 km/s at 6,000 K.
        doppler = 12.0 if name == "H I" else DOPPLER_KM_S
        profile = voigt_profile(offset, line * doppler / 299792.458, lorentz)
        # To zero at the end of the reach, without a step.
        taper = np.clip(1.0 - (offset / reach) ** 2, 0.0, 1.0)
        templates[ABSORBER_NUMBER[name], low:high] += integral * profile * taper
    return templates.astype(np.float32)


def line_transmission(
    window: Window, temperature_k: float, log_gravity: float, metallicity: float
) -> Float32Array:
    """Share of light that the lines of a star let through, at rest, on a fine window.

    A line's depth is the optical depth over 1 + optical depth / `DEEPEST`: linear for weak lines,
    saturated for strong ones (Minnaert's interpolation).
    """
    strengths = line_strengths(temperature_k, log_gravity, metallicity)
    depth = strengths @ _templates(window)
    return np.asarray(1.0 - depth / (1.0 + depth / np.float32(DEEPEST)), np.float32)


def mean_correction(
    transmission: Float32Array, low_resolution: Float32Array, window: Window
) -> Float32Array:
    """Slow factor that gives a star with lines the mean light of the low-resolution model.

    Parameters
    ----------
    transmission : array
        Of the lines, on the fine window.
    low_resolution : array
        The model with lines blended over that without lines, on the window's rest-frame pixels.
    window : Window

    Returns
    -------
    array
        On the window's rest-frame pixels.
    """
    binned = transmission.reshape(window.count, window.oversampling).mean(axis=1)
    wanted = gaussian_filter1d(low_resolution, _MEAN_OVER_PIXELS, mode="nearest", truncate=3.0)
    present = gaussian_filter1d(binned, _MEAN_OVER_PIXELS, mode="nearest", truncate=3.0)
    return np.asarray(wanted / np.maximum(present, 0.05), np.float32)


def move_and_broaden(
    transmission: Float32Array, velocity_km_s: float, sigma_km_s: float
) -> Float32Array:
    """Shift a transmission on a fine window by a velocity and broaden it by a Gaussian.

    Both at once in Fourier space, where a part of a pixel is as exact as a whole one. The ends of
    the window wrap around: it is longer than any instrument looks.
    """
    length = len(transmission)
    shift = float(np.log1p(velocity_km_s / 299792.458)) * 299792.458 / FINE_KM_S
    frequency = 2.0 * np.pi * np.arange(length // 2 + 1) / length
    sigma = sigma_km_s / FINE_KM_S
    kernel = np.exp(-0.5 * (sigma * frequency) ** 2 - 1j * frequency * shift)
    moved = irfft(rfft(transmission) * kernel.astype(np.complex64), length)
    return np.asarray(np.maximum(moved, 0.0), np.float32)


WINDOWS: tuple[Window, ...] = (OPTICAL_WINDOW, H_WINDOW)
