"""Prepared spectra stacked to tensors, their invalid patches left out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64
from torch import Tensor

from aion_encoder.universal_spectra.patches import PATCH_PX
from aion_encoder.universal_spectra.preparation import PreparedSpectrum

__all__ = ["SpectrumBatch", "stack"]


@dataclass(frozen=True, eq=False)
class SpectrumBatch:
    """The valid patches of some spectra, padded to the longest. Made by `stack`.

    Attributes
    ----------
    flux, errors, good, sigma, wavelength_angstrom
        See `PreparedSpectrum`. Padding repeats the last patch's wavelengths and is otherwise
        zero, not good, and of `sigma` 1. Wavelengths may be those of one spectrum, shape
        (1, patches, 32), where all lie on the same grid.
    present
        True where there is a patch and no padding; None if there is no padding at all.
    """

    flux: Float32[Tensor, "batch patches 32"]
    errors: Float32[Tensor, "batch patches 32"]
    good: Bool[Tensor, "batch patches 32"]
    sigma: Float32[Tensor, "batch patches 32"]
    wavelength_angstrom: Float64[Tensor, "batch patches 32"]
    present: Bool[Tensor, "batch patches"] | None

    def to(self, device: torch.device | str) -> "SpectrumBatch":
        """Return the same batch on a device."""
        return SpectrumBatch(
            flux=self.flux.to(device),
            errors=self.errors.to(device),
            good=self.good.to(device),
            sigma=self.sigma.to(device),
            wavelength_angstrom=self.wavelength_angstrom.to(device),
            present=None if self.present is None else self.present.to(device),
        )


def stack(spectra: Sequence[PreparedSpectrum]) -> SpectrumBatch:
    """Stack spectra on the CPU.

    Parameters
    ----------
    spectra
        At least one; of about one length, see `aion_encoder.universal_spectra.buckets`.
    """
    counts = [spectrum.tokens for spectrum in spectra]
    shape = (len(spectra), max(counts), PATCH_PX)
    flux, errors = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    good, sigma = np.zeros(shape, bool), np.ones(shape, np.float32)
    wavelength = np.empty(shape, np.float64)
    for row, (spectrum, count) in enumerate(zip(spectra, counts, strict=True)):
        valid = spectrum.valid
        flux[row, :count] = spectrum.flux[valid]
        errors[row, :count] = spectrum.errors[valid]
        good[row, :count] = spectrum.good[valid]
        sigma[row, :count] = spectrum.sigma[valid]
        wavelength[row, :count] = spectrum.wavelength_angstrom[valid]
        wavelength[row, count:] = wavelength[row, count - 1]
    present = np.arange(shape[1]) < np.array(counts)[:, None]
    return SpectrumBatch(
        flux=torch.from_numpy(flux),
        errors=torch.from_numpy(errors),
        good=torch.from_numpy(good),
        sigma=torch.from_numpy(sigma),
        wavelength_angstrom=torch.from_numpy(wavelength),
        present=None if present.all() else torch.from_numpy(present),
    )
