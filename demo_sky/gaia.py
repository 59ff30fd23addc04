"""Gaia: XP coefficients and catalogue columns of one object.

The low-resolution spectra are expanded in Hermite functions of pseudo-wavelength and rotated so
that a few coefficients hold most of the light, as in Gaia DR3 (De Angeli et al. 2023, section
3). The rotation is this sky's own: it comes from its own stars.
"""

import functools
import math
from typing import Any

import numpy as np

from demo_sky.grids import FloatArray
from demo_sky.identifiers import gaia_source_id
from demo_sky.photometry import BIN_CENTRES_ANGSTROM, bin_spectrum
from demo_sky.population import Parameters
from demo_sky.sed import Light
from demo_sky.stellar_spectra import star_spectrum, white_dwarf_spectrum

COEFFICIENTS_PER_BAND = 55

# Gaia EDR3 zero points (Riello et al. 2021, tables 3 and 4): magnitude of 1 electron/s.
VEGA_ZERO_POINT = {"g": 25.6874, "bp": 25.3385, "rp": 24.7479}
AB_ZERO_POINT = {"g": 25.8010, "bp": 25.3540, "rp": 25.1040}

# Range (A) and dispersion (A per pixel) at both ends; the dispersion grows as a power law.
_ARMS = {"bp": ((3300.0, 6800.0), (30.0, 270.0)), "rp": (((6200.0, 10700.0)), (70.0, 150.0))}
_EXPOSURE_S = 180.0
_BACKGROUND_ELECTRONS_S = 6.0


@functools.lru_cache(maxsize=2)
def _hermite_projection(arm: str) -> tuple[FloatArray, FloatArray]:
    """Matrix (55, bins) from electrons/s per bin to Hermite coefficients, and the arm's response.

    Samples are the bins themselves, blurred by the line spread function in pseudo-wavelength.
    """
    (blue, red), (first, last) = _ARMS[arm]
    wavelength = BIN_CENTRES_ANGSTROM
    exponent = math.log(last / first) / math.log(red / blue)
    fine = np.linspace(blue - 300.0, red + 300.0, 4000)
    pixels = np.concatenate(
        [[0.0], np.cumsum(np.diff(fine) / (first * (fine[1:] / blue) ** exponent))]
    )
    place = np.interp(wavelength, fine, pixels)
    start, stop = np.interp([blue, red], fine, pixels)
    response = 1.0 / (1.0 + np.exp(-(wavelength - blue) / 60.0))
    response = response / (1.0 + np.exp((wavelength - red) / 60.0))
    samples = np.linspace(start - 8.0, stop + 8.0, 400)
    spread = np.exp(-0.5 * ((samples[:, None] - place[None, :]) / 1.15) ** 2)
    spread /= np.sqrt(2 * np.pi) * 1.15
    argument = (samples - 0.5 * (start + stop)) / ((stop - start + 10.0) / 2.0 / 9.5)
    hermite = np.empty((COEFFICIENTS_PER_BAND, len(samples)))
    hermite[0] = np.pi**-0.25 * np.exp(-0.5 * argument**2)
    hermite[1] = np.sqrt(2.0) * argument * hermite[0]
    for n in range(2, COEFFICIENTS_PER_BAND):
        hermite[n] = np.sqrt(2.0 / n) * argument * hermite[n - 1]
        hermite[n] -= np.sqrt((n - 1) / n) * hermite[n - 2]
    # Functions of unit norm per pixel of pseudo-wavelength, and the integral over it.
    step = samples[1] - samples[0]
    return (hermite * np.sqrt((argument[1] - argument[0]) / step) * step) @ spread, response


@functools.lru_cache(maxsize=2)
def arm_projection(arm: str) -> tuple[FloatArray, FloatArray]:
    """Matrix (55, bins) from electrons/s per bin to coefficients, and the arm's response.

    Rotated: leading coefficients follow the spectra of the commonest stars.
    """
    hermite, response = _hermite_projection(arm)
    generator = np.random.default_rng(20220613)
    rows = []
    for number in range(60):
        if number % 12 == 0:
            spectrum = white_dwarf_spectrum(float(generator.uniform(8000, 40000)))
        else:
            spectrum = star_spectrum(
                float(
                    generator.choice([3400, 4500, 5500, 6000, 8500]) * generator.uniform(0.9, 1.1)
                ),
                float(generator.uniform(2.0, 4.6)),
                float(generator.uniform(-1.5, 0.3)),
            )
        coefficients = hermite @ electrons_of(bin_spectrum(spectrum, 0.0), response)
        rows.append(coefficients / np.linalg.norm(coefficients))
    # A faint, falling diagonal settles the order of the directions that the stars leave open.
    rows += list(np.diag(2e-3 * 0.93 ** np.arange(COEFFICIENTS_PER_BAND)))
    rotation = np.linalg.svd(np.array(rows), full_matrices=False)[2]
    leading = np.argmax(np.abs(rotation), axis=1)
    signs = np.sign(rotation[np.arange(len(rotation)), leading])
    rotation *= signs[:, None]
    if (rotation[0] @ rows[1]) < 0:
        rotation[0] *= -1
    return rotation @ hermite, response


def arm_counts(arm: str, flux: float) -> float:
    """Electrons/s of a flux in the arm's band, in nanomaggies."""
    return float(flux * 10.0 ** (0.4 * (AB_ZERO_POINT[arm] - 22.5)))


def electrons_of(binned: FloatArray, response: FloatArray) -> FloatArray:
    """Photons per bin: flux density times wavelength times bin width (a fixed step in log)."""
    return np.asarray(binned * response * BIN_CENTRES_ANGSTROM**2)


def observe_gaia(
    parameters: Parameters,
    ra_deg: float,
    dec_deg: float,
    light: Light,
    generator: np.random.Generator,
) -> dict[str, Any]:
    """Make one Gaia object; names as in `gaia_source`, lower-case, and no object_id."""
    fluxes = light.fluxes()
    counts, errors, magnitudes = {}, {}, {}
    for band in ("g", "bp", "rp"):
        true = fluxes[f"gaia-{band}"] * 10.0 ** (0.4 * (AB_ZERO_POINT[band] - 22.5))
        exposure = _EXPOSURE_S * (10.0 if band == "g" else 1.0)
        error = math.sqrt((true + (5.0 if band == "g" else 60.0)) / exposure + (8e-4 * true) ** 2)
        counts[band] = max(true + error * generator.standard_normal(), 0.1)
        errors[band] = error
        magnitudes[band] = VEGA_ZERO_POINT[band] - 2.5 * math.log10(counts[band])
    binned = sum(component.binned for component in light.components.values())
    assert isinstance(binned, np.ndarray)
    coefficients, coefficient_errors = [], []
    for arm in ("bp", "rp"):
        matrix, response = arm_projection(arm)
        electrons = electrons_of(binned, response)
        electrons = electrons * (arm_counts(arm, fluxes[f"gaia-{arm}"]) / electrons.sum())
        true_coefficients = matrix @ electrons
        per_sample = electrons.sum() / 30.0
        falling = np.minimum(1.0, np.exp(-(np.arange(COEFFICIENTS_PER_BAND) - 44) / 4.0))
        level = math.sqrt((per_sample + _BACKGROUND_ELECTRONS_S) / _EXPOSURE_S)
        noise = level * falling * generator.lognormal(0.0, 0.15, COEFFICIENTS_PER_BAND)
        noise += (
            4e-4 * np.abs(true_coefficients[0]) * np.exp(-np.arange(COEFFICIENTS_PER_BAND) / 25)
        )
        coefficients.append(true_coefficients + noise * generator.standard_normal(len(noise)))
        coefficient_errors.append(noise)
    record: dict[str, Any] = {
        "source_id": np.int64(gaia_source_id(ra_deg, dec_deg)),
        "coeff": np.concatenate(coefficients).astype(np.float32),
        "coeff_error": np.concatenate(coefficient_errors).astype(np.float32),
    }
    for band in ("g", "bp", "rp"):
        record[f"phot_{band}_mean_mag"] = np.float32(magnitudes[band])
        record[f"phot_{band}_mean_flux"] = np.float64(counts[band])
        record[f"phot_{band}_mean_flux_error"] = np.float32(errors[band])
    record["bp_rp"] = np.float32(magnitudes["bp"] - magnitudes["rp"])
    record.update(_astrometry(parameters, magnitudes["g"], generator))
    return record


def _astrometry(
    parameters: Parameters, magnitude_g: float, generator: np.random.Generator
) -> dict[str, Any]:
    star = parameters.star
    error = 0.02 * 10.0 ** (0.2 * max(magnitude_g - 14.5, 0.0))
    parallax = 1000.0 / star.distance_pc if star else 0.0
    motion = (star.proper_motion_ra_mas_yr, star.proper_motion_dec_mas_yr) if star else (0.0, 0.0)
    measured = parallax + error * generator.standard_normal()
    # Gaia measures radial velocities of bright, cool stars only; the others have none.
    has_velocity = star is not None and magnitude_g < 14.5 and 3500 < star.temperature_k < 8000
    velocity = (
        star.radial_velocity_km_s + generator.normal(0, 1.5) if star and has_velocity else math.nan
    )
    return {
        "parallax": np.float64(measured),
        "parallax_error": np.float32(error),
        "parallax_over_error": np.float32(measured / error),
        "pmra": np.float64(motion[0] + 1.1 * error * generator.standard_normal()),
        "pmra_error": np.float32(1.1 * error),
        "pmdec": np.float64(motion[1] + error * generator.standard_normal()),
        "pmdec_error": np.float32(error),
        "ra_error": np.float32(0.8 * error),
        "dec_error": np.float32(0.8 * error),
        "radial_velocity": np.float32(velocity),
        "radial_velocity_error": np.float32(1.5 if has_velocity else math.nan),
        "ruwe": np.float32(generator.lognormal(0.02, 0.05)),
        "ref_epoch": np.float64(2016.0),
        "solution_id": np.int64(1636148068921376768),
    }
