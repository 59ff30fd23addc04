"""Sinusoidal codes of vacuum wavelength."""

import math

import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor, nn

from aion_encoder.universal_spectra.config import UstConfig

__all__ = ["GRID_FEATURES", "WavelengthCodes", "grid_features"]

GRID_FEATURES = 2
"""How many numbers `grid_features` gives."""


class WavelengthCodes(nn.Module):
    """Sines and cosines of wavelength with periods that are even in their logarithm.

    Parameters
    ----------
    config
        States the periods.
    """

    def __init__(self, config: UstConfig) -> None:
        super().__init__()
        periods = torch.logspace(
            math.log10(config.shortest_angstrom),
            math.log10(config.longest_angstrom),
            config.periods,
            dtype=torch.float64,
        )
        # Computed from the configuration, so no file need hold them.
        self.per_angstrom: Tensor
        self.register_buffer("per_angstrom", 1.0 / periods, persistent=False)

    @property
    def width(self) -> int:
        """Length of the code of a wavelength."""
        return 2 * self.per_angstrom.numel()

    def forward(self, wavelength: Float64[Tensor, "*shape"]) -> Float32[Tensor, "*shape codes"]:
        """Return the codes of wavelengths in Angstrom.

        Turns are counted in double precision: 50,000 A are 25,000 turns of the shortest period,
        of which single precision would miss a fiftieth.
        """
        turns = wavelength.double()[..., None] * self.per_angstrom.double()
        phase = (2.0 * math.pi) * (turns - turns.floor()).float()
        return torch.cat([phase.sin(), phase.cos()], dim=-1)


def grid_features(
    wavelength: Float64[Tensor, "*shape patch"],
) -> Float[Tensor, "*shape 2"]:
    """Return what the grid of a patch is like: log10 of its wavelength and of its step.

    Both are about zero in the optical (6,300 A, steps of 1 A) and within two over 0.1 to 5 um and
    steps of 0.01 to 100 A. From them the model can tell how wide a pixel is in velocity, and so
    what a given line should look like.
    """
    patch = wavelength.shape[-1]
    step = (wavelength[..., -1] - wavelength[..., 0]) / (patch - 1)
    place = torch.log10(wavelength.mean(dim=-1)) - 3.8
    return torch.stack([place, torch.log10(step)], dim=-1).float()
