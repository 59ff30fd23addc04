"""How far a reconstruction is from a spectrum, in units of its errors."""

import torch
from jaxtyping import Float
from torch import Tensor

from aion_encoder.universal_spectra.batches import SpectrumBatch
from aion_encoder.universal_spectra.scaling import LINEAR

__all__ = ["ERROR_FLOOR", "residuals", "weighted_loss"]

ERROR_FLOOR = 0.02
"""Least error of a pixel in units of its flux or of the scale, whichever is larger. Spectra are
calibrated to a few per cent, and without a floor a star of signal-to-noise ratio 200 would weigh
as much as a hundred galaxies."""

ROBUST = 5.0
"""Residuals beyond so many errors count linearly: cosmic rays and sky lines that no mask knows,
and everything while training begins."""


def residuals(
    flux: Float[Tensor, "batch patches 32"], batch: SpectrumBatch, floor: float = ERROR_FLOOR
) -> Float[Tensor, "batch patches 32"]:
    """Return reconstruction minus spectrum in units of its errors; 0 where no pixel is good.

    Both are compared as they are bent beyond ten scales, the errors likewise (times the slope of
    the bend there): the height of a line above that counts by its ratio.

    Parameters
    ----------
    flux
        Of `Output`.
    batch
        What it reconstructs.
    floor
        Least error; see `ERROR_FLOOR`. With 0 the squares add up to chi-square.
    """
    size = batch.flux.abs()
    over = (size - LINEAR).clamp(min=0.0)
    straight = size - over + torch.sinh(over)
    least = floor * straight.clamp(min=1.0)
    sigma = torch.hypot(batch.sigma, least) / torch.cosh(over)
    return torch.where(batch.good, (flux.float() - batch.flux) / sigma, 0.0)


def weighted_loss(
    flux: Float[Tensor, "batch patches 32"],
    batch: SpectrumBatch,
    *,
    where: Tensor | None = None,
    robust: float = ROBUST,
) -> Float[Tensor, ""]:
    """Return the mean square of the residuals over good pixels, every spectrum with one say.

    About 1 when the model predicts what can be predicted, for noisy spectra; less for those
    whose errors are below the floor.

    Parameters
    ----------
    flux, batch
        See `residuals`.
    where
        Patches that count, shape (batch, patches), such as the hidden ones; None for all.
        Spectra in which none of them has a good pixel have no say.
    robust
        See `ROBUST`; infinity for plain squares.
    """
    size = residuals(flux, batch).abs()
    inner = size.clamp(max=robust)
    # The loss of Huber (1964), in units in which its quadratic part is the square.
    each = inner**2 + 2.0 * robust * (size - inner) if robust < float("inf") else size**2
    counted = batch.good if where is None else batch.good & where[..., None]
    number = counted.sum(dim=(1, 2))
    total = torch.where(counted, each, 0.0).sum(dim=(1, 2))
    spectra = (number > 0).sum().clamp(min=1)
    mean: Tensor = (total / number.clamp(min=1)).sum() / spectra
    return mean
