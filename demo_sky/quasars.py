"""Spectra of quasars: a power law, iron, broad and narrow lines, and the Lyman alpha forest."""

from dataclasses import dataclass

import numpy as np

from demo_sky.emission_lines import LINE_ANGSTROM, active_nucleus_ratios, add_line, add_lines
from demo_sky.grids import (
    LOG_START,
    LOG_STEP,
    OPTICAL_PIXELS,
    Float32Array,
    power_law_dust_curve,
    rest_wavelength,
)
from demo_sky.infrared_emission import add_infrared_lines, add_torus

# Line, equivalent width (A) in the mean quasar (Vanden Berk et al. 2001, rounded), width relative
# to H beta, blueshift (km/s).
_BROAD_LINES: tuple[tuple[float, float, float, float], ...] = (
    (1033.8, 9.0, 1.0, 0.0),
    (1215.67, 75.0, 1.0, 200.0),
    (1240.8, 20.0, 1.0, 200.0),
    (1304.5, 3.0, 0.8, 100.0),
    (1336.6, 1.2, 0.8, 0.0),
    (1398.3, 8.0, 1.1, 200.0),
    (1549.06, 26.0, 1.1, 600.0),
    (1640.4, 7.0, 1.6, 500.0),
    (1857.0, 3.0, 1.0, 0.0),
    (1908.73, 20.0, 1.25, 300.0),
    (2326.0, 3.0, 1.0, 0.0),
    (2799.12, 34.0, 0.85, 0.0),
    (4102.89, 6.0, 1.0, 0.0),
    (4341.68, 15.0, 1.0, 0.0),
    (4862.68, 50.0, 1.0, 0.0),
    (5877.25, 5.0, 1.0, 0.0),
    (6564.61, 200.0, 0.9, 0.0),
)
# Blends of Fe II: centre (A), width sigma (A), height over the continuum.
_IRON: tuple[tuple[float, float, float], ...] = (
    (2080.0, 60.0, 0.06),
    (2260.0, 60.0, 0.10),
    (2420.0, 80.0, 0.20),
    (2520.0, 60.0, 0.16),
    (2630.0, 50.0, 0.16),
    (2750.0, 45.0, 0.12),
    (2880.0, 60.0, 0.14),
    (2960.0, 50.0, 0.10),
    (3190.0, 60.0, 0.06),
    (4520.0, 55.0, 0.12),
    (4600.0, 45.0, 0.11),
    (4680.0, 40.0, 0.05),
    (5190.0, 45.0, 0.10),
    (5270.0, 45.0, 0.12),
    (5350.0, 40.0, 0.07),
)


@dataclass(frozen=True)
class QuasarParameters:
    """What makes one quasar's spectrum differ from another's.

    Attributes
    ----------
    slope : float
        Exponent of the ultraviolet continuum, flux per A ~ wavelength**slope.
    broad_sigma_km_s : float
        Width of H beta.
    line_strength, iron_strength : float
        Factors on the mean equivalent widths.
    narrow_strength : float
        [OIII] 5008 equivalent width in A.
    ebv : float
        Reddening by the quasar's own surroundings.
    absorbed : bool
        With broad absorption troughs blueward of the high-ionisation lines.
    """

    slope: float
    broad_sigma_km_s: float
    line_strength: float
    iron_strength: float
    narrow_strength: float
    ebv: float
    absorbed: bool


def quasar_spectrum(
    parameters: QuasarParameters,
    redshift: float,
    generator: np.random.Generator,
    pixels: int = OPTICAL_PIXELS,
) -> Float32Array:
    """Rest-frame spectrum with forest, about 1 at 3,000 A in the continuum.

    The redshift sets how much the intergalactic gas absorbs; the generator draws the forest. With
    more pixels than the optical grid has, hot dust and near-infrared lines are added.
    """
    wave = rest_wavelength(pixels)
    break_angstrom = 4800.0
    continuum = (np.minimum(wave, break_angstrom) / 3000.0) ** parameters.slope
    continuum *= (np.maximum(wave, break_angstrom) / break_angstrom) ** (-0.6)
    bump = 0.20 * np.exp(-0.5 * ((wave - 3100.0) / 500.0) ** 2) * (wave < 3700.0)
    spectrum = continuum * (1.0 + parameters.iron_strength * bump)
    for centre, sigma, height in _IRON:
        low, high = np.searchsorted(wave, [centre - 4 * sigma, centre + 4 * sigma])
        offset = (wave[low:high] - centre) / sigma
        spectrum[low:high] += (
            parameters.iron_strength * height * continuum[low:high] * np.exp(-0.5 * offset**2)
        )
    lines = spectrum.astype(np.float32)
    for centre, width, relative, blueshift in _BROAD_LINES:
        level = float(continuum[int((np.log10(centre) - LOG_START) / LOG_STEP)])
        flux = parameters.line_strength * width * level
        sigma = parameters.broad_sigma_km_s * relative
        shifted = centre * (1.0 - blueshift / 299792.458)
        # A narrower core and broader wings: real broad lines are peaked.
        add_line(lines, shifted, 0.55 * flux, 0.6 * sigma)
        add_line(lines, shifted, 0.45 * flux, 1.8 * sigma)
    level = float(continuum[int((np.log10(LINE_ANGSTROM["[OIII]5008"]) - LOG_START) / LOG_STEP)])
    hbeta = parameters.narrow_strength * level / 10.0
    add_lines(lines, active_nucleus_ratios(10.0, 0.6), hbeta, 220.0, 0.0)
    if pixels > OPTICAL_PIXELS:
        level_1um = float(continuum[int((np.log10(1e4) - LOG_START) / LOG_STEP)])
        add_torus(lines, level_1um, parameters.line_strength, parameters.broad_sigma_km_s)
        add_infrared_lines(lines, hbeta, 220.0, 0.0, nucleus=True)
    if parameters.absorbed:
        for centre in (1240.8, 1398.3, LINE_ANGSTROM["CIV"]):
            velocity = (wave / centre - 1.0) * 299792.458
            lines *= (1.0 - 0.85 * np.exp(-0.5 * ((velocity + 9500.0) / 2300.0) ** 4)).astype(
                np.float32
            )
    lines *= 10.0 ** (-0.4 * parameters.ebv * power_law_dust_curve(pixels))
    lines *= forest_transmission(redshift, generator, pixels)
    return lines


def forest_transmission(
    redshift: float, generator: np.random.Generator, pixels: int = OPTICAL_PIXELS
) -> Float32Array:
    """Fraction of light that hydrogen along the line of sight lets through.

    The mean optical depth is 0.0018 (1 + z)^3.92 (Faucher-Giguere et al. 2008, eq. 21), shared
    out over a log-normal field; below the Lyman limit a further drop is applied.
    """
    transmission = np.ones(pixels, np.float32)
    end = int((np.log10(1212.0) - LOG_START) / LOG_STEP)
    absorber = (1.0 + redshift) * rest_wavelength(end) / 1215.67
    depth = 0.0018 * np.maximum(absorber, 1.0) ** 3.92
    field = generator.standard_normal(end + 8)
    field = np.convolve(field, np.hanning(9) / np.sqrt((np.hanning(9) ** 2).sum()), mode="valid")
    transmission[:end] = np.exp(-depth * np.exp(1.1 * field - 0.605) * 1.35)
    limit = int((np.log10(912.0) - LOG_START) / LOG_STEP)
    transmission[:limit] *= 0.25
    return transmission
