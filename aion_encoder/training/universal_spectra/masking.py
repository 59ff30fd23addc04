"""Patches that the encoder is not shown in training, for it to be asked about."""

import torch
from jaxtyping import Bool
from torch import Tensor

from aion_encoder.universal_spectra.batches import SpectrumBatch

__all__ = ["shown"]


def shown(
    batch: SpectrumBatch, hidden: float, cut: float, generator: torch.Generator
) -> Bool[Tensor, "batch patches"]:
    """Choose the patches that the encoder may see.

    Parameters
    ----------
    batch
        Spectra with `present`, as `Examples.batch` gives them.
    hidden
        Share of the patches that are hidden at random.
    cut
        Share of the patches that every spectrum loses at one end or the other at most.
    generator
        On the device of the batch.

    Returns
    -------
    True where a patch may be seen, for `UniversalSpectra.forward`. A spectrum of which fewer than
    four patches would stay is shown whole.
    """
    rows, patches = batch.flux.shape[:2]
    device = batch.flux.device
    present = batch.present
    assert present is not None

    def luck(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    rank = present.float().cumsum(dim=1) / present.sum(dim=1, keepdim=True).clamp_min(1)
    lost = cut * luck(rows, 1)
    blue = luck(rows, 1) < 0.5
    within = torch.where(blue, rank > lost, rank <= 1.0 - lost)
    keep = present & within & (luck(rows, patches) >= hidden)
    few = keep.sum(dim=1, keepdim=True) < 4
    return torch.where(few, present, keep)
