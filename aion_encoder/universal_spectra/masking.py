"""Patches hidden from the encoder, for it to be asked about."""

import torch
from jaxtyping import Bool
from torch import Tensor

from aion_encoder.universal_spectra.batches import SpectrumBatch

__all__ = ["hide_patches"]


def hide_patches(
    batch: SpectrumBatch, share: float, generator: torch.Generator
) -> Bool[Tensor, "batch patches"]:
    """Choose the patches that the encoder may see.

    Parameters
    ----------
    batch
        Spectra.
    share
        Of the patches of each spectrum to hide, from 0 to less than 1, rounded down; one at
        least stays.
    generator
        On the CPU: the choice is the same on every device.

    Returns
    -------
    True where a patch may be seen, for `UniversalSpectra.forward`.
    """
    if not 0.0 <= share < 1.0:
        raise ValueError(f"the share of hidden patches must be in [0, 1), got {share}")
    rows, patches = batch.flux.shape[:2]
    device = batch.flux.device
    draw = torch.rand(rows, patches, generator=generator).to(device)
    present = batch.present
    if present is None:
        present = torch.ones(rows, patches, dtype=torch.bool, device=device)
    # Padding gets the last ranks, so the first ones are a fair draw among real patches.
    rank = draw.masked_fill(~present, 2.0).argsort(dim=1).argsort(dim=1)
    hidden = (share * present.sum(dim=1, keepdim=True)).floor()
    return present & (rank >= hidden)
