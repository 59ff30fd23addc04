"""The Earth's atmosphere at high resolution: telluric absorption and airglow lines.

Positions of bands are measured ones; single lines inside them are drawn once, from a fixed seed,
except for the combs of O2 and CO2, whose spacing is regular.
"""

import functools

import numpy as np

from demo_sky.fine_grid import FINE_KM_S, Window
from demo_sky.grids import Float32Array, FloatArray

_WIDTH_KM_S = 3.0

# Water and methane: start and stop (A), lines, mean optical depth at line centre.
_RANDOM_BANDS = (
    (5870.0, 6000.0, 50, 0.10),
    (6470.0, 6620.0, 60, 0.10),
    (6940.0, 7000.0, 40, 0.25),
    (7160.0, 7360.0, 160, 0.8),
    (7860.0, 8020.0, 60, 0.08),
    (8120.0, 8370.0, 200, 0.7),
    (8930.0, 9260.0, 260, 1.0),
    (9280.0, 9820.0, 420, 2.2),
    (15000.0, 15260.0, 70, 0.25),
    (16300.0, 16900.0, 150, 0.12),
)
# Carbon dioxide: centres (A) of the combs and optical depth of their strongest lines.
_CARBON_DIOXIDE = ((15383.0, 0.10), (15757.0, 0.35), (16062.0, 0.55), (16092.0, 0.25))
# OH bands: start and stop (A), lines, mean equivalent width (A) over the dark sky's continuum.
_AIRGLOW_BANDS = (
    (7240.0, 7530.0, 16, 7.0),
    (7710.0, 8080.0, 18, 10.0),
    (8270.0, 8510.0, 16, 11.0),
    (8620.0, 8960.0, 18, 14.0),
    (9100.0, 9580.0, 20, 12.0),
    (9700.0, 10130.0, 18, 16.0),
    (10170.0, 10430.0, 12, 16.0),
    (15050.0, 17050.0, 95, 60.0),
)
_AIRGLOW_LINES = ((5578.9, 60.0), (5891.6, 6.0), (5897.6, 4.0), (6302.0, 20.0), (6365.5, 7.0))


@functools.lru_cache(maxsize=1)
def _telluric_lines() -> tuple[FloatArray, FloatArray]:
    """Wavelengths (A) and optical depths."""
    generator = np.random.default_rng(7594)
    centres: list[float] = []
    depths: list[float] = []
    # Oxygen: an R branch that turns round at the head, and a P branch of pairs.
    for head, strongest in ((7594.0, 5.0), (6868.0, 1.6)):
        scale = head / 7594.0
        for number in range(22):
            population = strongest * np.exp(-(((number - 6.0) / 8.0) ** 2))
            for offset in (0.0, 1.5):
                centres.append(head + scale * (13.0 + 2.1 * number + 0.09 * number**2 + offset))
                depths.append(population)
        for number in range(16):
            centres.append(head + scale * (0.035 * (number - 16.0) ** 2))
            depths.append(0.8 * strongest * np.exp(-(((number - 6.0) / 8.0) ** 2)))
    for centre, strongest in _CARBON_DIOXIDE:
        for number in range(-36, 37):
            if number:
                centres.append(centre + 3.75 * number + 0.012 * number**2)
                depths.append(strongest * abs(number) / 10.0 * np.exp(0.5 - (number / 14.0) ** 2))
    for start, stop, count, mean in _RANDOM_BANDS:
        centres.extend(generator.uniform(start, stop, count))
        depths.extend(mean * generator.exponential(size=count))
    return np.array(centres), np.array(depths)


@functools.lru_cache(maxsize=1)
def _airglow_lines() -> tuple[FloatArray, FloatArray]:
    """Wavelengths (A) and equivalent widths (A)."""
    generator = np.random.default_rng(5577)
    centres = [line for line, _ in _AIRGLOW_LINES]
    widths = [width for _, width in _AIRGLOW_LINES]
    for start, stop, count, mean in _AIRGLOW_BANDS:
        centres.extend(generator.uniform(start, stop, count))
        widths.extend(mean * generator.gamma(1.2, 1 / 1.2, count))
    return np.array(centres), np.array(widths)


def _place(window: Window, centres: FloatArray, heights: FloatArray, sigma: float) -> FloatArray:
    log_wavelength = window.log_wavelength
    position = (np.log10(centres) - log_wavelength[0]) / (log_wavelength[1] - log_wavelength[0])
    reach = int(np.ceil(5.0 * sigma))
    inside = (position > reach + 1) & (position < len(window) - reach - 2)
    position, heights = position[inside], heights[inside]
    nearest = np.round(position).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
    total = np.zeros(len(window))
    profile = np.exp(-0.5 * ((nearest - position[:, None]) / sigma) ** 2)
    np.add.at(total, nearest, profile * heights[:, None])
    return total


@functools.lru_cache(maxsize=2)
def telluric_transmission(window: Window) -> Float32Array:
    """Share of light that reaches the ground on a fine window, at an average airmass."""
    depth = _place(window, *_telluric_lines(), _WIDTH_KM_S / FINE_KM_S)
    return np.exp(-depth).astype(np.float32)


@functools.lru_cache(maxsize=2)
def airglow(window: Window) -> Float32Array:
    """Brightness of night-sky lines on a fine window, over the sky's continuum."""
    centres, widths = _airglow_lines()
    sigma = 1.3  # fine pixels: unresolved by any instrument here
    pixel_angstrom = centres * FINE_KM_S / 299792.458
    heights = widths / pixel_angstrom / (sigma * np.sqrt(2.0 * np.pi))
    return _place(window, centres, heights, sigma).astype(np.float32)
