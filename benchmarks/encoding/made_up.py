"""Observations that cost what real ones cost, and mean nothing."""

import numpy as np

from aion_encoder.observations import GaiaXp, Image, Observation, Spectrum

__all__ = ["KINDS", "made_up"]

KINDS = ("image", "spectrum", "xp")

_PIXELS = 160
_CENTRE_PIXELS = 30.0
_BANDS = ("DES-G", "DES-R", "DES-I", "DES-Z")
_WAVELENGTH_ANGSTROM = np.linspace(3600.0, 9824.0, 7781)


def made_up(modality: str, count: int, *, seed: int) -> list[Observation]:
    """Return observations of a modality, each another one.

    Parameters
    ----------
    modality
        One of `KINDS`: Legacy Surveys pictures of 160 pixels, DESI spectra of 7,781 pixels, Gaia
        coefficients.
    """
    rng = np.random.default_rng(seed)
    if modality == "image":
        offset = np.hypot(*np.indices((_PIXELS, _PIXELS)) - _PIXELS / 2) / _CENTRE_PIXELS
        noise = rng.standard_normal((count, len(_BANDS), _PIXELS, _PIXELS))
        return [
            Image(5.0 * np.exp(-offset) + 0.05 * each, _BANDS, "legacysurvey") for each in noise
        ]
    if modality == "spectrum":
        size = _WAVELENGTH_ANGSTROM.size
        noise = rng.standard_normal((count, size))
        ivar = np.full(size, 10.0)
        return [Spectrum(3.0 + 0.3 * each, ivar, _WAVELENGTH_ANGSTROM, "desi") for each in noise]
    return [GaiaXp(bp=bp, rp=rp) for bp, rp in rng.standard_normal((count, 2, 55))]
