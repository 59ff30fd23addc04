"""Spectra of stars from temperature, gravity and metallicity.

A star is a black body shaped by the features that classify it: Balmer and Paschen lines and jumps
(strongest near 9,500 K), helium lines of hot stars, a metal-line forest that depresses the blue of
cool stars, the lines of Ca, Mg, Na, the G band, and titanium oxide bands below 4,200 K. Strengths
are set by eye to look like the classical spectral sequence; no library spectra are used.

All spectra are on `grids.rest_wavelength` and normalised to 1 at 6,000 A in the continuum. What
lies beyond the optical grid is in `stellar_infrared`; `stellar_lines` splits the forest and the
narrow features into single lines, for instruments that resolve them.
"""

import functools

import numpy as np

from demo_sky.grids import OPTICAL_PIXELS, Float32Array, FloatArray, rest_wavelength
from demo_sky.stellar_infrared import infrared_factor, infrared_forest

RYDBERG_ANGSTROM = 911.763
PLANCK_EXPONENT_ANGSTROM_K = 1.438777e8

TEMPERATURE_NODES_K: FloatArray = np.array(
    [
        2900,
        3200,
        3500,
        3800,
        4100,
        4500,
        5000,
        5400,
        5800,
        6300,
        6900,
        7700,
        8700,
        9800,
        11500,
        14000,
        18000,
        25000,
        38000,
        60000,
    ],
    dtype=float,
)
METALLICITY_NODES: FloatArray = np.array([-1.6, -0.6, 0.0, 0.4])
GRAVITY_NODES: FloatArray = np.array([2.0, 4.6])
WHITE_DWARF_TEMPERATURE_NODES_K: FloatArray = np.array(
    [6500, 8000, 9500, 11500, 14000, 18000, 25000, 40000, 70000], dtype=float
)

# Name, vacuum wavelength (A), width sigma (A), strength at 5,000 K, temperature scale (K): a
# strength falls by a factor e for every temperature scale above 5,000 K.
_METAL_FEATURES: tuple[tuple[float, float, float, float], ...] = (
    (2852.0, 9.0, 0.60, 1800.0),  # Mg I
    (2799.0, 12.0, 0.65, 2600.0),  # Mg II
    (3581.0, 14.0, 0.30, 1200.0),  # Fe I
    (3735.0, 16.0, 0.35, 1200.0),  # Fe I
    (3840.0, 14.0, 0.38, 1000.0),  # Mg I, Fe I, CN
    (3883.0, 12.0, 0.30, 800.0),  # CN
    (3934.8, 8.5, 0.78, 1900.0),  # Ca II K
    (3969.6, 8.0, 0.72, 1900.0),  # Ca II H
    (4046.0, 3.0, 0.22, 900.0),  # Fe I
    (4175.0, 30.0, 0.10, 700.0),  # CN
    (4227.9, 4.0, 0.30, 700.0),  # Ca I
    (4304.6, 11.0, 0.34, 900.0),  # G band, CH
    (4384.8, 4.0, 0.22, 1000.0),  # Fe I
    (4455.0, 5.0, 0.12, 900.0),  # Ca I, Fe I
    (4532.0, 8.0, 0.10, 1000.0),  # Fe, Ti
    (4668.0, 22.0, 0.09, 900.0),  # C2
    (5015.0, 20.0, 0.07, 1000.0),  # Fe I
    (5140.0, 32.0, 0.09, 600.0),  # MgH
    (5168.7, 3.2, 0.26, 1000.0),  # Mg b
    (5174.1, 3.2, 0.32, 1000.0),  # Mg b
    (5185.0, 3.4, 0.34, 1000.0),  # Mg b
    (5270.9, 6.0, 0.16, 1000.0),  # Fe I
    (5329.5, 5.0, 0.14, 1000.0),  # Fe I
    (5406.0, 5.0, 0.08, 1000.0),  # Fe I
    (5891.6, 2.8, 0.36, 700.0),  # Na D
    (5897.6, 2.6, 0.32, 700.0),  # Na D
    (6164.0, 6.0, 0.06, 800.0),  # Ca I
    (6498.0, 6.0, 0.07, 900.0),  # Ba, Ca, Fe
    (8500.4, 3.5, 0.25, 1800.0),  # Ca II triplet
    (8544.4, 4.5, 0.40, 1800.0),
    (8664.5, 4.2, 0.36, 1800.0),
)
SINGLE_LINES: tuple[float, ...] = (
    5168.7,
    5174.1,
    5185.0,
    5891.6,
    5897.6,
    8500.4,
    8544.4,
    8664.5,
)
"""Features above that are single lines: Mg b, Na D and the calcium triplet."""

_TITANIUM_OXIDE_HEADS: tuple[tuple[float, float], ...] = (
    (4584.0, 0.35),
    (4761.0, 0.55),
    (4954.0, 0.65),
    (5167.0, 0.70),
    (5448.0, 0.55),
    (5847.0, 0.55),
    (6158.0, 0.70),
    (6651.0, 0.55),
    (6815.0, 0.45),
    (7053.0, 0.85),
    (7589.0, 0.70),
    (7666.0, 0.45),
    (8206.0, 0.30),
    (8432.0, 0.60),
    (8859.0, 0.45),
    (9209.0, 0.30),
    (9980.0, 0.25),
)
_HELIUM_LINES = (3820.7, 4027.3, 4145.0, 4389.2, 4472.7, 4923.3, 5017.1, 5877.2, 6679.9, 7067.1)
_IONISED_HELIUM_LINES = (4201.0, 4542.8, 4687.0, 5413.0)


def black_body(temperature_k: float, pixels: int = OPTICAL_PIXELS) -> FloatArray:
    """Planck's law per unit wavelength, 1 at 6,000 A."""
    wave = rest_wavelength(pixels)
    exponent = PLANCK_EXPONENT_ANGSTROM_K / temperature_k
    shape = wave**-5 / np.expm1(np.minimum(exponent / wave, 600.0))
    return np.asarray(shape / (6000.0**-5 / np.expm1(exponent / 6000.0)))


def hydrogen_strength(temperature_k: float) -> float:
    """Strength of hydrogen absorption, 1 at its peak near 9,500 K."""
    log_ratio = np.log(temperature_k / 9500.0)
    return float(np.exp(-0.5 * (log_ratio / (0.25 if log_ratio < 0 else 0.6)) ** 2))


def _step(wave: FloatArray, centre_angstrom: float, width_angstrom: float) -> FloatArray:
    """Rise smoothly from 0 blueward to 1 redward of a wavelength."""
    return np.asarray(0.5 + 0.5 * np.tanh((wave - centre_angstrom) / width_angstrom))


def _add_gaussian(values: FloatArray, centre: float, sigma: float, height: float) -> None:
    """Add a Gaussian to values on the wavelength grid, in place."""
    wave = rest_wavelength(len(values))
    low, high = np.searchsorted(wave, [centre - 5.5 * sigma, centre + 5.5 * sigma])
    offset = (wave[low:high] - centre) / sigma
    values[low:high] += height * np.exp(-0.5 * offset**2)


def _hydrogen_factor(
    wave: FloatArray, temperature_k: float, log_gravity: float, white_dwarf: bool
) -> FloatArray:
    strength = hydrogen_strength(temperature_k)
    pressure = 10.0 ** (0.28 * (log_gravity - 4.0))
    optical_depth = np.zeros_like(wave)
    # Pressure dissolves the high levels of white dwarfs: their series ends early.
    last_step, fading = (6, 0.15) if white_dwarf else (12, 0.045)
    for lower, series in ((2, 1.0), (3, 0.30)):
        for upper in range(lower + 1, lower + last_step + 1):
            centre = RYDBERG_ANGSTROM / (1.0 / lower**2 - 1.0 / upper**2)
            depth = 1.5 * series * strength * (1.0 - fading * (upper - lower))
            # A sharp core and wings broadened by pressure; high members merge into the jump.
            half_width = 8.5 * pressure * (0.45 + 0.55 * strength) / (1.0 + 0.05 * (upper - 3))
            offset = (wave - centre) / half_width
            optical_depth += depth * np.exp(-np.abs(offset) / 9) * 0.75 / (1.0 + offset**2)
            if not white_dwarf:
                _add_gaussian(optical_depth, centre, 2.5, 0.5 * depth)
    jump = 0.95 if not white_dwarf else 0.25
    optical_depth += jump * strength * (1.0 - _step(wave, 3690.0, 25.0))
    optical_depth += (
        0.12 * strength * (1.0 - _step(wave, 8260.0, 60.0)) * _step(wave, 3690.0, 25.0) * 0.6
    )
    lyman = 0.6 + 2.0 * strength
    optical_depth += lyman / (1.0 + ((wave - 1215.67) / (14.0 * pressure)) ** 2)
    optical_depth += 8.0 * (1.0 - _step(wave, 912.0, 4.0)) * (0.3 + strength)
    return np.exp(-optical_depth)


@functools.lru_cache(maxsize=1)
def iron_forest() -> FloatArray:
    """Blends of metal lines, denser and stronger to the blue, at 5,000 K.

    Returns
    -------
    array, shape (n, 3)
        Centre (A), width sigma (A) and optical depth.
    """
    generator = np.random.default_rng(19101920)
    centres = 1500.0 * (11000.0 / 1500.0) ** generator.random(2800) ** 0.8
    blends = []
    for centre in centres:
        blueness = 1.0 / (1.0 + np.exp((centre - 4300.0) / 450.0)) + 0.05
        blends.append((centre, 1.5, 0.45 * blueness * generator.exponential()))
    return np.array(blends)


@functools.lru_cache(maxsize=2)
def _forest_depth(pixels: int) -> FloatArray:
    depth = np.zeros(pixels)
    for centre, sigma, height in iron_forest():
        _add_gaussian(depth, centre, sigma, height)
    if pixels > OPTICAL_PIXELS:
        for centre, sigma, height in infrared_forest():
            _add_gaussian(depth, centre, sigma, height)
    return depth


def _metal_factor(
    wave: FloatArray,
    temperature_k: float,
    metallicity: float,
    log_gravity: float,
    without_lines: bool,
) -> FloatArray:
    abundance = 10.0 ** (0.42 * metallicity)
    cool = max(temperature_k, 3300.0)
    optical_depth = np.zeros_like(wave)
    for centre, width, strength, scale in _METAL_FEATURES:
        if without_lines and centre in SINGLE_LINES:
            continue
        depth = strength * abundance * np.exp(-(cool - 5000.0) / scale)
        depth = 2.4 * np.tanh(depth / 2.0)
        if centre in (5891.6, 5897.6) or 5100 < centre < 5200:
            depth *= 1.0 + 0.25 * (log_gravity - 3.3) * (temperature_k < 4600)
        _add_gaussian(optical_depth, centre, width * (1.0 + 0.5 * depth), depth)
    warm = np.exp(-(cool - 5000.0) / 1500.0)
    if not without_lines:
        optical_depth += _forest_depth(len(wave)) * abundance * min(warm, 2.2)
    # Blanketing: the 4,000 A break of cool stars, and the collapse of their ultraviolet.
    break_depth = 0.30 * abundance * min(warm, 1.8)
    optical_depth += break_depth * (1.0 - _step(wave, 3990.0, 35.0))
    blue = np.maximum(3900.0 - wave, 0.0) / 1000.0
    optical_depth += 0.32 * abundance * min(warm, 2.2) * blue
    return np.exp(-optical_depth)


def _molecular_factor(wave: FloatArray, temperature_k: float, metallicity: float) -> FloatArray:
    strength = 1.4 * 10.0 ** (0.25 * metallicity) / (1.0 + np.exp((temperature_k - 3650.0) / 170.0))
    optical_depth = np.zeros_like(wave)
    for head, depth in _TITANIUM_OXIDE_HEADS:
        redward = np.maximum(wave - head, 0.0)
        band = _step(wave, head, 6.0) * np.exp(-redward / (0.030 * head))
        optical_depth += strength * depth * band
    return np.exp(-optical_depth)


def _helium_factor(wave: FloatArray, temperature_k: float) -> FloatArray:
    neutral = 0.20 * np.exp(-0.5 * (np.log(temperature_k / 20000.0) / 0.38) ** 2)
    ionised = 0.22 / (1.0 + np.exp(-(temperature_k - 34000.0) / 4000.0))
    optical_depth = np.zeros_like(wave)
    for centres, depth in ((_HELIUM_LINES, neutral), (_IONISED_HELIUM_LINES, ionised)):
        if depth > 0.01:
            for centre in centres:
                optical_depth += depth / (1.0 + ((wave - centre) / 4.0) ** 2)
    return np.exp(-optical_depth)


def model_atmosphere(
    temperature_k: float,
    log_gravity: float,
    metallicity: float,
    white_dwarf: bool = False,
    pixels: int = OPTICAL_PIXELS,
    without_lines: bool = False,
) -> FloatArray:
    """Compute one spectrum, without interpolation between nodes.

    Parameters
    ----------
    temperature_k : float
        Effective temperature.
    log_gravity : float
        log10 of the surface gravity in cm/s2.
    metallicity : float
        [M/H], log10 of the metal abundance over that of the Sun.
    white_dwarf : bool
        Hydrogen atmosphere (DA): no metals, very broad lines, a weak jump.
    pixels : int
        Length of the spectrum on the rest-frame grid.
    without_lines : bool
        Leave out the forest and the single lines, which `stellar_lines` draws one by one.
    """
    wave = rest_wavelength(pixels)
    spectrum = black_body(temperature_k, pixels)
    spectrum = spectrum * _hydrogen_factor(wave, temperature_k, log_gravity, white_dwarf)
    if pixels > OPTICAL_PIXELS:
        spectrum = spectrum * infrared_factor(
            wave, temperature_k, log_gravity, metallicity, hydrogen_strength(temperature_k)
        )
    if white_dwarf:
        return spectrum
    if temperature_k < 13000:
        spectrum = spectrum * _metal_factor(
            wave, temperature_k, metallicity, log_gravity, without_lines
        )
    if temperature_k < 5000:
        spectrum = spectrum * _molecular_factor(wave, temperature_k, metallicity)
    if temperature_k > 9000:
        spectrum = spectrum * _helium_factor(wave, temperature_k)
    return spectrum


@functools.lru_cache(maxsize=3)
def _grid(pixels: int, without_lines: bool) -> Float32Array:
    nodes = (TEMPERATURE_NODES_K, METALLICITY_NODES, GRAVITY_NODES)
    grid = np.empty((*map(len, nodes), pixels), np.float32)
    for i, temperature in enumerate(TEMPERATURE_NODES_K):
        for j, metallicity in enumerate(METALLICITY_NODES):
            for k, gravity in enumerate(GRAVITY_NODES):
                grid[i, j, k] = model_atmosphere(
                    temperature, gravity, metallicity, pixels=pixels, without_lines=without_lines
                )
    return grid


@functools.lru_cache(maxsize=2)
def _white_dwarf_grid(pixels: int) -> Float32Array:
    return np.stack(
        [
            model_atmosphere(t, 8.0, 0.0, white_dwarf=True, pixels=pixels)
            for t in WHITE_DWARF_TEMPERATURE_NODES_K
        ]
    ).astype(np.float32)


def _bracket(nodes: FloatArray, value: float) -> tuple[int, float]:
    """Lower node and fraction of the way to the next, clipped to the nodes' range."""
    low = int(np.clip(np.searchsorted(nodes, value) - 1, 0, len(nodes) - 2))
    fraction = (value - nodes[low]) / (nodes[low + 1] - nodes[low])
    return low, float(np.clip(fraction, 0.0, 1.0))


def star_spectrum(
    temperature_k: float,
    log_gravity: float,
    metallicity: float,
    pixels: int = OPTICAL_PIXELS,
    without_lines: bool = False,
) -> Float32Array:
    """Spectrum of a normal star by interpolation, 1 at 6,000 A in the continuum.

    Parameters are those of `model_atmosphere`.
    """
    grid = _grid(pixels, without_lines)
    i, a = _bracket(np.log(TEMPERATURE_NODES_K), float(np.log(temperature_k)))
    j, b = _bracket(METALLICITY_NODES, metallicity)
    k, c = _bracket(GRAVITY_NODES, log_gravity)
    weights = np.einsum("i,j,k->ijk", [1 - a, a], [1 - b, b], [1 - c, c]).astype(np.float32)
    corner = grid[i : i + 2, j : j + 2, k : k + 2]
    return np.asarray(np.tensordot(weights, corner, axes=3), np.float32)


def white_dwarf_spectrum(temperature_k: float, pixels: int = OPTICAL_PIXELS) -> Float32Array:
    """Spectrum of a hydrogen white dwarf of log g = 8, by interpolation."""
    i, a = _bracket(np.log(WHITE_DWARF_TEMPERATURE_NODES_K), float(np.log(temperature_k)))
    grid = _white_dwarf_grid(pixels)
    return np.asarray((1 - a) * grid[i] + a * grid[i + 1], np.float32)
