"""Other objects in the frame: faint galaxies, stars, and companions of early-type galaxies."""

import functools
from dataclasses import dataclass

import numpy as np

from demo_sky.grids import Float32Array, FloatArray, calzetti_curve
from demo_sky.photometry import BANDS, bin_spectrum, nanomaggies
from demo_sky.profiles import PixelGrid, gaussians
from demo_sky.stellar_populations import population_spectrum, star_formation_history
from demo_sky.stellar_spectra import star_spectrum

FIELD_HALF_WIDTH_ARCSEC = 24.0


@dataclass(frozen=True)
class Neighbours:
    """Objects around a target.

    Attributes
    ----------
    east, north : array
        Offsets in arcsec.
    size_arcsec : array
        Half-light radius; 0 for stars.
    elongation_east, elongation_north : array
        Half length of an elongated body, arcsec.
    flux_r : array
        Nanomaggies in r.
    mixture : array, shape (count, 3)
        Shares of the three colours of `neighbour_colours`.
    """

    east: FloatArray
    north: FloatArray
    size_arcsec: FloatArray
    elongation_east: FloatArray
    elongation_north: FloatArray
    flux_r: FloatArray
    mixture: FloatArray


@functools.lru_cache(maxsize=1)
def neighbour_colours() -> FloatArray:
    """Fluxes over the r flux, shape (3, band): an old galaxy, a young galaxy, a cool star."""
    old, _ = star_formation_history(1e-3, np.array([0.2, 0.4, 0.4]))
    young, _ = star_formation_history(0.5, np.array([0.5, 0.3, 0.2]))
    dust = 10.0 ** (-0.4 * 0.12 * calzetti_curve())
    spectra = (
        (population_spectrum(old, 0.0), 0.35),
        (population_spectrum(young, -0.5) * dust, 0.45),
        (star_spectrum(3900.0, 4.6, 0.0), 0.0),
    )
    rows = []
    for spectrum, redshift in spectra:
        fluxes = nanomaggies(bin_spectrum(spectrum, redshift))
        rows.append([fluxes[band] / fluxes["des-r"] for band in BANDS])
    return np.array(rows)


def draw_neighbours(
    object_class: str, magnitude_r: float, generator: np.random.Generator
) -> Neighbours:
    """Draw the field: counts per magnitude rise as 10**(0.33 r), to r = 25.5.

    Early-type galaxies also get companions of their own colour, as they have in groups.
    """
    count = int(generator.poisson(34))
    magnitude = 25.5 + np.log10(generator.random(count)) / 0.33
    magnitude = np.maximum(magnitude, 17.0 + 2.0 * generator.random(count))
    companions = int(generator.poisson(2.0)) if object_class in ("elliptical", "lens") else 0
    group = magnitude_r + 1.5 + generator.gamma(3.0, 0.9, companions)
    total = count + companions
    magnitude = np.concatenate([magnitude, group])
    east, north = generator.uniform(-FIELD_HALF_WIDTH_ARCSEC, FIELD_HALF_WIDTH_ARCSEC, (2, total))
    east[count:] *= 0.7
    north[count:] *= 0.7
    is_star = generator.random(total) < np.where(magnitude < 21, 0.45, 0.10)
    is_star[count:] = False
    size = np.clip(0.95 * 10 ** (-0.13 * (magnitude - 21)), 0.2, 3.0)
    size = np.where(is_star, 0.0, size * generator.lognormal(0, 0.3, total))
    angle = generator.uniform(0, 2 * np.pi, total)
    elongation = size * generator.uniform(0.0, 1.0, total)
    redness = generator.beta(0.8, 1.1, total)
    redness[count:] = generator.uniform(0.8, 1.0, companions)
    cool = np.where(is_star, generator.random(total), 0.0)
    redness = np.where(is_star, 0.3, redness)
    mixture = np.stack([(1 - cool) * redness, (1 - cool) * (1 - redness), cool], axis=1)
    # A neighbour on top of a faint target would be the target.
    close = (np.hypot(east, north) < 2.5) & (magnitude < magnitude_r + 2.5)
    flux = np.where(close, 0.0, 10.0 ** (0.4 * (22.5 - magnitude)))
    return Neighbours(
        east, north, size, elongation * np.sin(angle), elongation * np.cos(angle), flux, mixture
    )


def neighbour_layers(neighbours: Neighbours, grid: PixelGrid) -> Float32Array:
    """Images of the three colours in nanomaggies of r, shape (3, rows, columns)."""
    parts = []
    # A core, a body drawn out along its axis, and a halo: close to an exponential profile.
    for place, width, share in (
        (0.0, 0.28, 0.24),
        (-0.8, 0.62, 0.12),
        (0.0, 0.62, 0.16),
        (0.8, 0.62, 0.12),
        (0.0, 1.2, 0.36),
    ):
        parts.append(
            (
                neighbours.east + place * neighbours.elongation_east,
                neighbours.north + place * neighbours.elongation_north,
                width * neighbours.size_arcsec,
                share * neighbours.flux_r,
            )
        )
    east, north, sigma, flux = (np.concatenate(values) for values in zip(*parts, strict=True))
    mixture = np.tile(neighbours.mixture, (len(parts), 1))
    return gaussians(grid, east, north, sigma, flux * mixture.T)
