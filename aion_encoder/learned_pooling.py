"""A learned pooling: what the tokens of a frozen encoder say together.

A plain mean gives every token the same weight and forgets where it stood. Here the tokens of an
observation are first gathered in cells, which keep the place roughly: five rings of a picture
(the same whichever way it is turned), the brightness and 68 arms of four tokens of a spectrum, the
110 coefficients of Gaia. A token is its embedding as it entered the encoder, joined to the
encoder's last layer; a cell is their mean, and for rings their standard deviation as well.

Every cell x is seen along some fixed directions, in units of what is usual at its place,

    h = (x directions - mean[place]) / spread[place]

and all h, joined, pass through a linear map with a small network beside it, to unit length. The
encoder itself is never changed: whoever opens the same weights with another pooling gets its plain
means.
"""

from collections.abc import Mapping
from itertools import pairwise

import torch
from jaxtyping import Float, Float32
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

__all__ = [
    "CELLS",
    "OBSERVATIONS",
    "POOLING_FILE",
    "RINGS",
    "CellPool",
    "LearnedPooling",
    "PoolingShape",
    "cells_of",
]

POOLING_FILE = "pooling.safetensors"

RING_EDGES = (0.0, 1.0, 2.2, 3.6, 5.2, 99.0)
"""Radii of the rings, in blocks of 2 x 2 tokens (8 pixels): 4, 12, 28, 44 and 56 blocks."""

_SIDE = 24
"""Tokens along a side of a picture."""

ARM = 4
"""Tokens of a spectrum in an arm: about 100 A."""

CELLS: Mapping[str, int] = {"image": len(RING_EDGES) - 1, "spectrum": 1 + 272 // ARM, "xp": 110}
"""Cells of an observation in each modality that a learned pooling knows."""

OBSERVATIONS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "image": (("tok_image",), ("tok_image_hsc",)),
    "spectrum": (("tok_spectrum_sdss",), ("tok_spectrum_desi",)),
    "xp": (("tok_xp_bp", "tok_xp_rp"),),
}
"""The token keys of one observation, for each kind of a modality."""


class PoolingShape(BaseModel):
    """Sizes of a learned pooling.

    Attributes
    ----------
    width
        Directions along which a cell is seen, by modality.
    hidden
        Of the network beside the last linear map, by modality.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: Mapping[str, int] = Field(default={"image": 64, "spectrum": 16, "xp": 8})
    hidden: Mapping[str, int] = Field(default={"image": 384, "spectrum": 384, "xp": 128})


def cell_size(modality: str, dim: int) -> int:
    """Return the length of a cell for an encoder of some width."""
    return (4 if modality == "image" else 2) * dim


def _rings() -> list[Tensor]:
    """Return the blocks of each ring."""
    place = torch.arange(_SIDE // 2) - (_SIDE // 2 - 1) / 2
    radius = torch.hypot(place[:, None], place[None, :]).flatten()
    return [
        torch.nonzero((radius >= inner) & (radius < outer)).flatten()
        for inner, outer in pairwise(RING_EDGES)
    ]


RINGS = tuple(_rings())
"""Numbers of the blocks of each ring, row by row in a grid of 12 x 12."""


def cells_of(
    modality: str,
    embedded: Float[Tensor, "batch tokens dim"],
    last: Float[Tensor, "batch tokens dim"],
) -> Float[Tensor, "batch cells size"]:
    """Gather all tokens of observations in cells.

    Parameters
    ----------
    embedded
        Token embeddings without position and modality codes.
    last
        Outputs of the encoder after its normalisation.
    """
    tokens = torch.cat([embedded, last], dim=2)
    if modality == "image":
        grid = tokens.reshape(len(tokens), _SIDE // 2, 2, _SIDE // 2, 2, tokens.shape[2])
        blocks = grid.mean(dim=(2, 4)).flatten(1, 2)
        rings = [blocks[:, ring.to(blocks.device)] for ring in RINGS]
        return torch.stack(
            [torch.cat([ring.mean(dim=1), ring.std(dim=1)], dim=1) for ring in rings], dim=1
        )
    if modality == "spectrum":
        arms = tokens[:, 1:].reshape(len(tokens), -1, ARM, tokens.shape[2]).mean(dim=2)
        return torch.cat([tokens[:, :1], arms], dim=1)
    return tokens


class CellPool(nn.Module):
    """The learned pooling of one modality.

    Parameters
    ----------
    modality
        Which.
    dim
        Width of the encoder, and length of the vectors it gives.
    shape
        Its sizes.
    """

    def __init__(self, modality: str, dim: int, shape: PoolingShape) -> None:
        super().__init__()
        size, width = cell_size(modality, dim), shape.width[modality]
        joined, hidden = CELLS[modality] * width, shape.hidden[modality]
        self.directions: Tensor
        self.mean: Tensor
        self.spread: Tensor
        self.register_buffer("directions", torch.zeros(size, width))
        self.register_buffer("mean", torch.zeros(CELLS[modality], width))
        self.register_buffer("spread", torch.ones(CELLS[modality], width))
        self.straight = nn.Linear(joined, dim)
        self.bend = nn.Linear(joined, hidden)
        self.bent = nn.Linear(hidden, dim)

    def project(self, cells: Float[Tensor, "batch cells size"]) -> Float[Tensor, "batch joined"]:
        """Return what cells are along the directions, joined."""
        return ((cells @ self.directions - self.mean) / self.spread).flatten(1)

    def join(
        self, projected: Float[Tensor, "batch joined"], dropout: float = 0.0
    ) -> Float32[Tensor, "batch dim"]:
        """Return a vector of unit length for each observation.

        Parameters
        ----------
        projected
            What `project` gives.
        dropout
            Share of values within that are zeroed, while training.
        """

        def dropped(values: Tensor) -> Tensor:
            return nn.functional.dropout(values, dropout) if dropout else values

        h = dropped(projected)
        out = self.straight(h) + self.bent(dropped(nn.functional.gelu(self.bend(h))))
        return nn.functional.normalize(out.float(), dim=1)

    def forward(self, cells: Float[Tensor, "batch cells size"]) -> Float32[Tensor, "batch dim"]:
        """Return a vector of unit length for each observation, from what `cells_of` gives."""
        return self.join(self.project(cells))


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
        self.pools = nn.ModuleDict({modality: CellPool(modality, dim, shape) for modality in CELLS})

    def forward(
        self, modality: str, embedded: Tensor, last: Tensor
    ) -> Float32[Tensor, "batch dim"]:
        """Return a vector of unit length for each observation of a modality, from all tokens."""
        vectors: Tensor = self.pools[modality](cells_of(modality, embedded, last))
        return vectors
