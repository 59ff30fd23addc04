"""What the official package is given, and what our encoder makes of the same.

The tests beside it go through every known hazard of `polymathic-aion` 0.0.2 that can touch an
encode. Each shows first that the official package, used as its own examples use it, has the
symptom, and then that our encoder does not: it would fail without the guard. The numbers are those
of the list of hazards in the documentation of the encoder. Not here, because no encode meets them:
25, 26 (decoding), 29 (wrong names in its documentation).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from aion.modalities import DESISpectrum, LegacySurveyImage

from aion_encoder import Encoder, Image, Spectrum

LS_BANDS = ["DES-G", "DES-R", "DES-I", "DES-Z"]
HSC_BANDS = ["HSC-G", "HSC-R", "HSC-I", "HSC-Z", "HSC-Y"]
ImageMaker = Callable[..., Image]
SpectrumMaker = Callable[..., Spectrum]


def official_spectrum(spectrum: Spectrum, **changes: torch.Tensor) -> DESISpectrum:
    """One spectrum handed to the official package as it is."""
    given = {
        "flux": torch.tensor(spectrum.flux)[None],
        "ivar": torch.tensor(spectrum.ivar)[None],
        "mask": torch.zeros(1, spectrum.flux.size, dtype=torch.bool),
        "wavelength": torch.tensor(spectrum.wavelength_angstrom)[None],
    }
    return DESISpectrum(**{**given, **changes})


def official_image(image: Image) -> LegacySurveyImage:
    return LegacySurveyImage(flux=torch.tensor(image.flux)[None], bands=list(image.bands))


def our_tokens(encoder: Encoder, *observations: Any) -> np.ndarray:
    """Tokens of observations of one kind, each of its own object."""
    encoded = encoder.encode([(item,) for item in observations], tokens=True)
    assert not encoded.refusals
    assert encoded.tokens is not None
    (tokens,) = encoded.tokens.values()
    return tokens


def as_ids(tokens: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(tokens.astype(np.int64))
