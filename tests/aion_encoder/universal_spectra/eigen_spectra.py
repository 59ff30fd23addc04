"""Galaxies and quasars made of eigen-spectra of real ones (redrock templates), seen on any grid.

Galaxies take the coefficients that redrock keeps of real archetypes. Quasars are the mean quasar
with scattered coefficients of the others. The noise is that of a sky-limited spectrum.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from real_spectra import TEMPLATES

from aion_encoder.universal_spectra import NativeSpectrum, join_pieces

SDSS = (10.0 ** (3.58 + 1e-4 * np.arange(3840)),)
SDSS_COARSER = (10.0 ** (3.58 + 2e-4 * np.arange(1920)),)
DESI = tuple(
    first + 0.8 * np.arange(count) for first, count in ((3600, 2751), (5760, 2326), (7520, 2881))
)
"""Grids, each as its pieces; DESI's are arms that overlap."""

SNR = 10.0
"""Of the median flux in a pixel of SDSS or DESI."""

REDSHIFTS = 8
"""Of each source, evenly over a range that keeps every grid within its template."""

SCATTER = 10.0
"""Of quasars' coefficients: the first eigenvector has a root mean square of 1 to 2, the others of
0.01, so lines and slopes vary by about a tenth."""


@dataclass(frozen=True, eq=False)
class Source:
    """One rest-frame spectrum, and the redshifts at which it is seen."""

    kind: str
    wavelength_angstrom: np.ndarray
    flux: np.ndarray
    redshifts: np.ndarray

    def expected(self, redshift: float, pieces: tuple[np.ndarray, ...]) -> list[np.ndarray]:
        """Mean flux in the pixels of each piece, in units of the median on SDSS's grid."""
        edges = _edges(self.wavelength_angstrom * (1.0 + redshift))
        total = np.concatenate([[0.0], np.cumsum(self.flux * np.diff(edges))])

        def mean(grid: np.ndarray) -> np.ndarray:
            asked = _edges(grid)
            assert edges[0] < asked[0]
            assert asked[-1] < edges[-1]
            return np.asarray(np.diff(np.interp(asked, edges, total)) / np.diff(asked))

        unit = float(np.median(mean(SDSS[0])))
        return [mean(grid) / unit for grid in pieces]

    def seen(
        self, redshift: float, pieces: tuple[np.ndarray, ...], rng: np.random.Generator
    ) -> tuple[NativeSpectrum, np.ndarray]:
        """The source with noise, and its flux without."""
        truth = self.expected(redshift, pieces)
        spectra = []
        for grid, flux in zip(pieces, truth, strict=True):
            # Sky and source; a pixel twice as wide has half the variance.
            wide = 2.0 if pieces is SDSS_COARSER else 1.0
            sigma = np.sqrt((0.3 + 0.7 * flux) / wide) / SNR
            noisy = flux + sigma * rng.standard_normal(flux.size)
            spectra.append(NativeSpectrum(noisy, grid, sigma**-2))
        return join_pieces(spectra), np.concatenate(truth)


def _edges(centres: np.ndarray) -> np.ndarray:
    inner = 0.5 * (centres[1:] + centres[:-1])
    first, last = 2.0 * centres[0] - inner[0], 2.0 * centres[-1] - inner[-1]
    return np.concatenate([[first], inner, [last]])


def galaxies(count: int, rng: np.random.Generator) -> Iterator[Source]:
    """Galaxies at redshifts 0.05 to 0.8."""
    with fits.open(TEMPLATES / "rrtemplate-galaxy.fits") as file:
        header = file[0].header
        wavelength = header["CRVAL1"] + header["CDELT1"] * np.arange(header["NAXIS1"])
        vectors = np.asarray(file[0].data, np.float64)
        archetypes = file["ARCHETYPE_COEFF"].data
    used = archetypes @ vectors[:, (wavelength > 1990.0) & (wavelength < 9400.0)][:, ::10]
    # A fifth of the archetypes go below zero somewhere, or are little more than one line.
    real = (used.min(axis=1) > 0.0) & (used.max(axis=1) < 30.0 * np.median(used, axis=1))
    for number in rng.choice(np.flatnonzero(real), count, replace=False):
        flux = archetypes[number] @ vectors
        yield Source("galaxy", wavelength, flux, np.linspace(0.05, 0.8, REDSHIFTS))


def quasars(count: int, rng: np.random.Generator) -> Iterator[Source]:
    """Quasars, half of them at redshifts 0.5 to 1.5, half at 1.5 to 3."""
    ranges = {"LOZ": (0.5, 1.5), "HIZ": (1.5, 3.0)}
    for number in range(count):
        name = "LOZ" if number < count // 2 else "HIZ"
        with fits.open(TEMPLATES / f"rrtemplate-QSO-{name}-v1.1.fits") as file:
            header = file[0].header
            wavelength = 10.0 ** (header["CRVAL1"] + header["CDELT1"] * np.arange(header["NAXIS1"]))
            vectors = np.asarray(file[0].data, np.float64)
        coefficients = np.concatenate([[1.0], SCATTER * rng.standard_normal(len(vectors) - 1)])
        yield Source(
            "quasar", wavelength, coefficients @ vectors, np.linspace(*ranges[name], REDSHIFTS)
        )
