"""Broad-band fluxes of a spectrum: simple curves for the bands of five surveys."""

import functools

import numpy as np

from demo_sky.grids import LOG_START, LOG_STEP, WAVELENGTH_ANGSTROM, Float32Array, FloatArray

# Half-power wavelengths (A) of top hats with soft edges, from the surveys' public curves.
BAND_EDGES_ANGSTROM: dict[str, tuple[float, float]] = {
    "des-g": (4080.0, 5470.0),
    "des-r": (5680.0, 7150.0),
    "des-i": (7070.0, 8520.0),
    "des-z": (8480.0, 9950.0),
    "hsc-g": (4040.0, 5460.0),
    "hsc-r": (5450.0, 6960.0),
    "hsc-i": (6970.0, 8480.0),
    "hsc-z": (8530.0, 9280.0),
    "hsc-y": (9330.0, 10660.0),
    "gaia-g": (4050.0, 8700.0),
    "gaia-bp": (3900.0, 6300.0),
    "gaia-rp": (6300.0, 9600.0),
}
BANDS = tuple(BAND_EDGES_ANGSTROM)

LEGACY_BANDS = ("des-g", "des-r", "des-i", "des-z")
HSC_BANDS = ("hsc-g", "hsc-r", "hsc-i", "hsc-z", "hsc-y")

# Bins of 23 A at 5,000 A: narrow against any band, and few.
_BIN_EDGES_LOG = np.arange(np.log10(3300.0), np.log10(11200.0), 2e-3)
_BIN_EDGES = 10.0**_BIN_EDGES_LOG
BIN_CENTRES_ANGSTROM: FloatArray = np.sqrt(_BIN_EDGES[1:] * _BIN_EDGES[:-1])

AB_ZERO_ERG_S_CM2_HZ = 3.631e-20
LIGHT_ANGSTROM_S = 2.99792458e18
NANOMAGGIE_ERG_S_CM2_HZ = AB_ZERO_ERG_S_CM2_HZ * 1e-9


def band_transmission(band: str, wavelength_angstrom: FloatArray) -> FloatArray:
    """Relative photon response of a band, 0 to 1."""
    blue, red = BAND_EDGES_ANGSTROM[band]
    soft = 0.012 if not band.startswith("gaia") else 0.06
    rise = 1.0 / (1.0 + np.exp(-(wavelength_angstrom / blue - 1.0) / soft * 3.0))
    fall = 1.0 / (1.0 + np.exp((wavelength_angstrom / red - 1.0) / soft * 3.0))
    response: FloatArray = rise * fall
    return response


@functools.lru_cache(maxsize=1)
def _weights() -> FloatArray:
    """Matrix from binned flux density to nanomaggies, shape (band, bin)."""
    width = np.diff(_BIN_EDGES)
    rows = []
    for band in BANDS:
        response = band_transmission(band, BIN_CENTRES_ANGSTROM)
        photons = response * BIN_CENTRES_ANGSTROM * width
        reference = (response * LIGHT_ANGSTROM_S / BIN_CENTRES_ANGSTROM * width).sum()
        rows.append(photons / reference / NANOMAGGIE_ERG_S_CM2_HZ)
    return np.stack(rows)


def bin_spectrum(rest_spectrum: Float32Array, redshift: float) -> FloatArray:
    """Average a rest-frame shape over the observed bins of `BIN_CENTRES_ANGSTROM`.

    Values keep the spectrum's own units; the factor 1 / (1 + z) is the caller's. Exact for
    features narrower than a bin, such as emission lines.
    """
    position = (_BIN_EDGES_LOG - np.log10(1.0 + redshift) - LOG_START) / LOG_STEP
    low, high = int(position[0]) - 1, int(position[-1]) + 3
    if low < 0:
        low = 0
    wave = WAVELENGTH_ANGSTROM[low:high]
    integral = np.cumsum(rest_spectrum[low:high].astype(np.float64) * wave)
    at_edges = np.interp(position - low, np.arange(len(integral)) + 0.5, integral)
    scale = LOG_STEP * np.log(10.0)
    width = np.diff(_BIN_EDGES) / (1.0 + redshift)
    binned: FloatArray = np.diff(at_edges) * scale / width
    return binned


def nanomaggies(binned_flux: FloatArray) -> dict[str, float]:
    """AB fluxes in nanomaggies of erg/s/cm2/A values on `BIN_CENTRES_ANGSTROM`, by band."""
    return dict(zip(BANDS, (_weights() @ binned_flux).tolist(), strict=True))


def magnitude_of_nanomaggies(flux: float) -> float:
    """AB magnitude of a flux in nanomaggies; fluxes below 1e-4 count as 1e-4."""
    return 22.5 - 2.5 * float(np.log10(max(flux, 1e-4)))
