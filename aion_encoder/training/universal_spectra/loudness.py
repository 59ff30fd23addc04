"""Spectra over another scale than their own.

The median of a spectrum hangs on what an instrument covers: that of a quasar seen to 2.4 um is a
third of what it is in the optical. What the model makes of a spectrum must not.
"""

from dataclasses import replace

import torch
from torch import Tensor

from aion_encoder.universal_spectra.batches import SpectrumBatch
from aion_encoder.universal_spectra.preparation import HIGHEST_SNR
from aion_encoder.universal_spectra.scaling import LINEAR

__all__ = ["rescaled"]


def rescaled(batch: SpectrumBatch, spread: float, generator: torch.Generator) -> SpectrumBatch:
    """Multiply each spectrum, with its errors, by a random number.

    Parameters
    ----------
    spread
        Standard deviation of its natural logarithm.
    generator
        On the device of the batch.
    """
    if spread == 0.0:
        return batch
    count = len(batch.flux)
    normal = torch.randn(count, 1, 1, generator=generator, device=batch.flux.device)
    factor = torch.exp(spread * normal)
    sigma = torch.where(batch.good, batch.sigma * factor, 1.0)
    errors = torch.log1p(1.0 / sigma) / torch.log1p(torch.tensor(HIGHEST_SNR))
    return replace(
        batch,
        flux=_squash(_unsquash(batch.flux) * factor),
        errors=torch.where(batch.good, errors, 0.0),
        sigma=sigma,
    )


def _squash(flux: Tensor) -> Tensor:
    size = flux.abs()
    over = (size - LINEAR).clamp(min=0.0)
    return torch.copysign(size - over + torch.asinh(over), flux)


def _unsquash(bent: Tensor) -> Tensor:
    size = bent.abs()
    over = (size - LINEAR).clamp(min=0.0)
    return torch.copysign(size - over + torch.sinh(over), bent)
