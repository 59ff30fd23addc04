"""What the encoder of spectra gives back."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32, Float64

from aion_encoder.encoded import Note, Refusal

__all__ = ["EncodedSpectra", "Reconstruction"]


@dataclass(frozen=True, eq=False)
class EncodedSpectra:
    """Vectors of n spectra.

    Attributes
    ----------
    vectors
        Shape (n, dim): of unit length if the pooling is learned, else raw; NaN where refused.
    present
        True where there is a vector.
    brightness
        Log10 of what the fluxes were divided by, in the unit of each spectrum; NaN where refused.
        The vectors know nothing of it: who wants brightness to count joins it to them.
    errors_estimated
        True where a spectrum had no errors, and they were estimated.
    refusals, notes
        In the order of the spectra; their modality is ``spectrum``.
    """

    vectors: Float32[np.ndarray, "n dim"]
    present: Bool[np.ndarray, " n"]
    brightness: Float32[np.ndarray, " n"]
    errors_estimated: Bool[np.ndarray, " n"]
    refusals: tuple[Refusal, ...] = field(default=())
    notes: tuple[Note, ...] = field(default=())


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What the model understood of a spectrum.

    Attributes
    ----------
    wavelength_angstrom
        Vacuum: the spectrum's own, or those asked for, in their order.
    flux
        At those wavelengths, in the unit of the spectrum.
    covered
        True where the wavelength lies within a patch that the model saw; elsewhere `flux` is what
        it expects from the rest.
    ignored
        True where a pixel of the spectrum was bad or lies in a patch that the model did not see.
    notes
        What a person should know, in words.
    """

    wavelength_angstrom: Float64[np.ndarray, " m"]
    flux: Float64[np.ndarray, " m"]
    covered: Bool[np.ndarray, " m"]
    ignored: Bool[np.ndarray, " n"]
    notes: tuple[str, ...]
