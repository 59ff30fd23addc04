"""Observations into the plain arrays that the official tokenizers take.

Every array that leaves this module is a fresh copy: the tokenizers write into what they are given,
be it a caller's picture or a memory-mapped file.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from aion_encoder.observations import Image, Spectrum
from aion_encoder.surveys import IMAGE_MIN_PX, SURVEYS

__all__ = [
    "NORMALISATION_FLOOR",
    "SPECTRUM_STEP_PX",
    "PreparedSpectra",
    "image_bands",
    "normalisation",
    "padded_length",
    "prepare_images",
    "prepare_spectra",
]

NORMALISATION_FLOOR = 0.1
"""Mean flux in 1e-17 erg/s/cm2/A below which all spectra share a normalisation token
(`aion/codecs/spectrum.py`)."""

SPECTRUM_STEP_PX = 512
"""Spectra are padded to a multiple of this. One length for all of a class makes the arithmetic,
and so the tokens, independent of what else is in a batch."""

PreparedSpectra = dict[str, np.ndarray]
"""Arrays ``flux``, ``ivar``, ``wavelength`` (float32) and ``mask`` (bool), each (n, length)."""


def image_bands(image: Image) -> tuple[str, ...]:
    """Return the bands of an image in AION-1's own order."""
    return tuple(band for band in SURVEYS[image.survey].bands if band in image.bands)


def prepare_images(images: Sequence[Image]) -> Float32[np.ndarray, "n bands 96 96"]:
    """Cut the central 96 x 96 pixels and set the bad ones to zero, the level of the sky.

    Parameters
    ----------
    images
        All of one survey and with the same bands, in whatever order.
    """
    bands = image_bands(images[0])
    cut = np.empty((len(images), len(bands), IMAGE_MIN_PX, IMAGE_MIN_PX), np.float32)
    for row, image in enumerate(images):
        order = [image.bands.index(band) for band in bands]
        top = (image.flux.shape[1] - IMAGE_MIN_PX) // 2
        left = (image.flux.shape[2] - IMAGE_MIN_PX) // 2
        centre = np.s_[order, top : top + IMAGE_MIN_PX, left : left + IMAGE_MIN_PX]
        mask = ~np.isfinite(image.flux) if image.mask is None else image.mask
        cut[row] = np.where(mask[centre], np.float32(0.0), image.flux[centre])
    return cut


def padded_length(spectrum: Spectrum) -> int:
    """Return the length that a spectrum is padded to, in pixels."""
    return -(-spectrum.flux.size // SPECTRUM_STEP_PX) * SPECTRUM_STEP_PX


def _filled(spectrum: Spectrum) -> tuple[np.ndarray, np.ndarray]:
    """Return the flux with bad pixels interpolated, and the mask."""
    mask = np.zeros(spectrum.flux.shape, bool) if spectrum.mask is None else spectrum.mask
    if not mask.any():
        return spectrum.flux, mask
    wavelength = spectrum.wavelength_angstrom
    good = ~mask
    # np.interp repeats the nearest good value beyond the first and the last good pixel.
    filled = np.interp(wavelength[mask], wavelength[good], spectrum.flux[good])
    flux = spectrum.flux.copy()
    flux[mask] = filled.astype(np.float32)
    return flux, mask


def prepare_spectra(spectra: Sequence[Spectrum], length: int) -> PreparedSpectra:
    """Fill bad pixels from good neighbours and pad all spectra to one length.

    Bad pixels are interpolated linearly (repeated at the ends) and get no weight. Padding repeats
    the last wavelength and flux, masked and without weight: the tokenizer sees nothing of it.

    Parameters
    ----------
    spectra
        Spectra of at most `length` pixels.
    length
        Number of pixels after padding.
    """
    shape = (len(spectra), length)
    prepared = {
        "flux": np.empty(shape, np.float32),
        "ivar": np.zeros(shape, np.float32),
        "wavelength": np.empty(shape, np.float32),
        "mask": np.ones(shape, bool),
    }
    for row, spectrum in enumerate(spectra):
        flux, mask = _filled(spectrum)
        size = flux.size
        for name, values in (("flux", flux), ("wavelength", spectrum.wavelength_angstrom)):
            prepared[name][row, :size] = values
            prepared[name][row, size:] = values[-1]
        prepared["ivar"][row, :size] = np.where(mask, np.float32(0.0), spectrum.ivar)
        prepared["mask"][row, :size] = mask
    return prepared


def normalisation(spectrum: Spectrum) -> float:
    """Return the mean flux by which AION-1 would divide this spectrum, in its flux unit.

    The package's own rule: the sum over good pixels by their number plus one, before its floor.
    """
    flux, mask = _filled(spectrum)
    good = ~mask
    return float(flux[good].sum(dtype=np.float64) / (int(good.sum()) + 1.0))
