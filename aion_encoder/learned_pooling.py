"""A learned pooling: which tokens of a frozen encoder matter, and what they say together.

A plain mean gives every token the same weight and forgets where it stood. Here, for each modality,
every token x (its embedding as it entered the encoder, joined to the encoder's last layer) becomes

    h = gelu(((x - centre) / spread) W + b + place)

``place`` is learned for every position. Each of several learned queries q takes a weighted mean
with the weights softmax(h . q / sqrt(width)); the means, joined, pass through a linear map with a
small network beside it. Pictures are taken by cells of 2 x 2 tokens. The encoder itself is never
changed: whoever opens the same weights with another pooling gets the plain means.
"""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float, Float32
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

__all__ = [
    "CELLS",
    "OBSERVATIONS",
    "POOLING_FILE",
    "AttentivePool",
    "LearnedPooling",
    "PoolingShape",
    "cells_of",
]

POOLING_FILE = "pooling.safetensors"

CELLS: Mapping[str, int] = {"image": 144, "spectrum": 273, "xp": 110}
"""Places of each modality that a learned pooling knows."""

OBSERVATIONS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "image": (("tok_image",), ("tok_image_hsc",)),
    "spectrum": (("tok_spectrum_sdss",), ("tok_spectrum_desi",)),
    "xp": (("tok_xp_bp", "tok_xp_rp"),),
}
"""The token keys of one observation, for each kind of a modality."""

_SIDE = 24
"""Tokens along a side of a picture."""


class PoolingShape(BaseModel):
    """Sizes of a learned pooling.

    Attributes
    ----------
    width
        Of a token within it.
    queries
        Weighted means per modality.
    hidden
        Width of the network beside the last linear map.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(default=192, gt=0)
    queries: int = Field(default=6, gt=0)
    hidden: int = Field(default=256, gt=0)


def cells_of(
    values: Float[Tensor, "batch tokens dim"],
) -> Float[Tensor, "batch cells dim"]:
    """Return the means of 2 x 2 tokens of a picture; tokens of other modalities as they are."""
    if values.shape[1] != _SIDE**2:
        return values
    grid = values.unflatten(1, (_SIDE // 2, 2, _SIDE // 2, 2))
    return grid.mean(dim=(2, 4)).flatten(1, 2)


class AttentivePool(nn.Module):
    """The learned pooling of one modality.

    Parameters
    ----------
    dim
        Width of the encoder, and length of the vectors it gives.
    places
        How many cells an observation has.
    shape
        Its sizes.
    """

    def __init__(self, dim: int, places: int, shape: PoolingShape) -> None:
        super().__init__()
        width, queries = shape.width, shape.queries
        self.register_buffer("centre", torch.zeros(2 * dim))
        self.register_buffer("spread", torch.ones(2 * dim))
        self.inner = nn.Linear(2 * dim, width)
        self.place = nn.Parameter(0.02 * torch.randn(places, width))
        self.query = nn.Parameter(torch.randn(queries, width))
        self.straight = nn.Linear(queries * width, dim)
        self.bend = nn.Linear(queries * width, shape.hidden)
        self.bent = nn.Linear(shape.hidden, dim)

    def forward(
        self,
        embedded: Float[Tensor, "batch cells dim"],
        last: Float[Tensor, "batch cells dim"],
    ) -> Float32[Tensor, "batch dim"]:
        """Return a vector of unit length for each observation.

        Parameters
        ----------
        embedded
            Token embeddings without position and modality codes.
        last
            Outputs of the encoder after its normalisation.
        """
        x = (torch.cat([embedded, last], dim=2) - self.centre) / self.spread
        return self.gather(nn.functional.gelu(self.inner(x) + self.place))

    def gather(self, h: Float[Tensor, "batch cells width"]) -> Float32[Tensor, "batch dim"]:
        """Return a vector of unit length for each observation, from the h of its cells."""
        weights = (h @ self.query.T / math.sqrt(h.shape[2])).float().softmax(dim=1)
        means = (weights.to(h.dtype).transpose(1, 2) @ h).flatten(1)
        out = self.straight(means) + self.bent(nn.functional.gelu(self.bend(means)))
        return nn.functional.normalize(out.float(), dim=1)


class LearnedPooling(nn.Module):
    """The learned poolings of all modalities.

    Parameters
    ----------
    dim
        Width of the encoder.
    shape
        Its sizes.
    """

    def __init__(self, dim: int, shape: PoolingShape) -> None:
        super().__init__()
        self.pools = nn.ModuleDict(
            {modality: AttentivePool(dim, places, shape) for modality, places in CELLS.items()}
        )

    def forward(
        self, modality: str, embedded: Tensor, last: Tensor
    ) -> Float32[Tensor, "batch dim"]:
        """Return a vector of unit length for each observation of a modality, from all tokens."""
        vectors: Tensor = self.pools[modality](cells_of(embedded), cells_of(last))
        return vectors
