"""The decoder: tokens of a spectrum into fluxes at any wavelength."""

import torch
from jaxtyping import Float32, Float64
from torch import Tensor, nn

from aion_encoder.universal_spectra.blocks import CrossLayer, SelfLayer
from aion_encoder.universal_spectra.config import UstConfig
from aion_encoder.universal_spectra.token_encoder import Places, Tokens, spans_of

__all__ = ["SpectrumDecoder"]

STEEPEST = 8.0
"""How fast the nearest-sighted head of a query forgets: by exp(-8) one patch further on. Each
further head sees four times as far, and the last one sees all patches alike. Without, queries
take long to find the patch that they ask about: after 500 steps of a model of 3 + 3 layers the
loss was 3.6, continua without lines, where it was 0.8 with it."""

FARTHEST = 1000.0
"""Distances beyond so many patches count as this many; finite in half precision, too."""


class SpectrumDecoder(nn.Module):
    """Tokens into fluxes at any wavelength.

    Parameters
    ----------
    config
        Sizes.
    """

    def __init__(self, config: UstConfig) -> None:
        super().__init__()
        sizes = (config.dim, config.heads, config.mlp_ratio)
        self.layers = nn.ModuleList(SelfLayer(*sizes) for _ in range(config.decoder_layers))
        self.norm = nn.LayerNorm(config.dim)
        self.places = Places(config)
        self.query_layers = nn.ModuleList(CrossLayer(*sizes) for _ in range(config.query_layers))
        self.query_norm = nn.LayerNorm(config.dim)
        self.pixels = nn.Linear(config.dim, config.patch)
        slopes = [STEEPEST / 4.0**head for head in range(config.heads - 1)]
        self.slopes: Tensor
        self.register_buffer("slopes", torch.tensor([*slopes, 0.0]), persistent=False)

    def forward(
        self, tokens: Tokens, wavelength_angstrom: Float64[Tensor, "batch queries 32"]
    ) -> Float32[Tensor, "batch queries 32"]:
        """Return fluxes in units of the scale, bent beyond ten.

        Parameters
        ----------
        tokens
            Of the encoder.
        wavelength_angstrom
            Vacuum wavelengths, in patches as `aion_encoder.universal_spectra.patches` makes them.
        """
        values = tokens.values
        for layer in self.layers:
            values = layer(values, tokens.keys)
        values = self.norm(values)
        # A grid that all spectra of a batch share is coded once.
        queries = self.places(wavelength_angstrom).expand(len(values), -1, -1)
        nearness = _nearness(spans_of(wavelength_angstrom), tokens, self.slopes)
        for layer in self.query_layers:
            queries = layer(queries, values, nearness)
        # One is the scale of the spectrum: what is learned is how the flux departs from it.
        even = 1.0 + self.pixels(self.query_norm(queries)).float()
        return _interpolated(even, wavelength_angstrom.expand(len(values), -1, -1))


def _nearness(
    spans: Float32[Tensor, "batch queries 2"], tokens: Tokens, slopes: Float32[Tensor, " heads"]
) -> Float32[Tensor, "batch heads queries tokens"]:
    """Return what is added to the products of queries and keys, so that they look nearby first.

    Minus the distance of their middles in units of the mean of their widths, times the slope of
    the head (Press et al. 2022, arXiv:2108.12409); minus infinity where there is no token.
    """
    distance = (spans[:, :, None, 0] - tokens.spans[:, None, :, 0]).abs()
    width = 0.5 * (spans[:, :, None, 1] + tokens.spans[:, None, :, 1])
    bias = -slopes[:, None, None] * (distance / width).clamp(max=FARTHEST)[:, None]
    return bias if tokens.keys is None else bias.masked_fill(~tokens.keys, -torch.inf)


def _interpolated(
    even: Float32[Tensor, "batch queries 32"],
    wavelength_angstrom: Float64[Tensor, "batch queries 32"],
) -> Float32[Tensor, "batch queries 32"]:
    """Return values at wavelengths from values at even steps between the first and the last.

    The same for an even grid, all but the same for a logarithmic one. A prism, or wavelengths
    picked by hand, would otherwise get what lies a few pixels off.
    """
    first, last = wavelength_angstrom[..., :1], wavelength_angstrom[..., -1:]
    most = even.shape[-1] - 1
    place = ((wavelength_angstrom - first) * (most / (last - first))).clamp(0.0, most)
    below = place.floor().clamp(max=most - 1)
    share = (place - below).float()
    index = below.long()
    return (1.0 - share) * even.gather(-1, index) + share * even.gather(-1, index + 1)
