"""The encoder: patches of a spectrum into tokens."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32, Float64
from torch import Tensor, nn

from aion_encoder.universal_spectra.batches import SpectrumBatch
from aion_encoder.universal_spectra.blocks import SelfLayer
from aion_encoder.universal_spectra.codes import GRID_FEATURES, WavelengthCodes, grid_features
from aion_encoder.universal_spectra.config import UstConfig

__all__ = ["Places", "SpectrumEncoder", "Tokens", "spans_of"]

CHANNELS = 3
"""Flux, errors and flag of each pixel."""


@dataclass(frozen=True, eq=False)
class Tokens:
    """What the encoder makes of a batch.

    Attributes
    ----------
    values
        One token for each patch that was seen, normalised.
    spans
        Middle and width of these patches in Angstrom.
    seen
        Which are tokens and no padding; None for all.
    """

    values: Float[Tensor, "batch tokens dim"]
    spans: Float32[Tensor, "batch tokens 2"]
    seen: Bool[Tensor, "batch tokens"] | None

    @property
    def keys(self) -> Bool[Tensor, "batch 1 1 tokens"] | None:
        """`seen` in the shape that attention takes."""
        return None if self.seen is None else self.seen[:, None, None, :]


def spans_of(
    wavelength_angstrom: Float64[Tensor, "batch patches 32"],
) -> Float32[Tensor, "batch patches 2"]:
    """Return the middle and the width of patches, in Angstrom."""
    patch = wavelength_angstrom.shape[-1]
    step = (wavelength_angstrom[..., -1] - wavelength_angstrom[..., 0]) / (patch - 1)
    return torch.stack([wavelength_angstrom.mean(dim=-1), patch * step], dim=-1).float()


class Places(nn.Module):
    """Where patches lie, as vectors: the mean codes of their pixels, and what their grid is like.

    Parameters
    ----------
    config
        Sizes.
    """

    def __init__(self, config: UstConfig) -> None:
        super().__init__()
        self.codes = WavelengthCodes(config)
        self.project = nn.Linear(self.codes.width + GRID_FEATURES, config.dim)

    def forward(
        self, wavelength_angstrom: Float64[Tensor, "batch patches 32"]
    ) -> Float[Tensor, "batch patches dim"]:
        """Return one vector for each patch."""
        codes = self.codes(wavelength_angstrom).mean(dim=-2)
        place = torch.cat([codes, grid_features(wavelength_angstrom)], dim=-1)
        vectors: Tensor = self.project(place)
        return vectors


class SpectrumEncoder(nn.Module):
    """Patches into tokens.

    Parameters
    ----------
    config
        Sizes.
    """

    def __init__(self, config: UstConfig) -> None:
        super().__init__()
        self.pixels = nn.Linear(CHANNELS * config.patch, config.dim)
        self.places = Places(config)
        self.layers = nn.ModuleList(
            SelfLayer(config.dim, config.heads, config.mlp_ratio)
            for _ in range(config.encoder_layers)
        )
        self.norm = nn.LayerNorm(config.dim)

    def embed(self, batch: SpectrumBatch) -> Float[Tensor, "batch patches dim"]:
        """Return the patches as they enter the transformer."""
        flux = batch.flux
        channels = torch.cat([flux, batch.errors, batch.good.to(flux.dtype)], dim=-1)
        embedded: Tensor = self.pixels(channels) + self.places(batch.wavelength_angstrom)
        return embedded

    def forward(
        self, batch: SpectrumBatch, keep: Bool[Tensor, "batch patches"] | None = None
    ) -> Tokens:
        """Return the tokens of the patches that are seen.

        Parameters
        ----------
        batch
            Spectra.
        keep
            True where a patch may be seen, at least one in each spectrum; None for all that are
            present. Hidden patches pass through no layer.
        """
        values, seen = self.embed(batch), batch.present
        spans = spans_of(batch.wavelength_angstrom).expand(len(values), -1, -1)
        if keep is not None:
            keep = keep if seen is None else keep & seen
            # Kept patches move to the front; what no spectrum needs is cut off.
            most = int(keep.sum(dim=1).max())
            order = torch.argsort(keep.logical_not().to(torch.uint8), dim=1, stable=True)
            order = order[:, :most]
            values, spans, seen = (_taken(each, order) for each in (values, spans, keep))
        tokens = Tokens(values, spans, seen)
        for layer in self.layers:
            values = layer(values, tokens.keys)
        return Tokens(self.norm(values), spans, seen)


def _taken(values: Tensor, order: Tensor) -> Tensor:
    """Return the entries of each row in an order."""
    index = order.reshape(*order.shape, *(1,) * (values.ndim - 2))
    return torch.take_along_dim(values, index, dim=1)
