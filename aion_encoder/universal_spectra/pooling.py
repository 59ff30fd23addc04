"""Tokens of a spectrum made one vector."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

__all__ = ["AttentionPool", "MeanPool", "RetrievalHead"]


class MeanPool(nn.Module):
    """The mean of the tokens, every patch with the same weight; nothing is learned."""

    def forward(
        self,
        tokens: Float[Tensor, "batch tokens dim"],
        seen: Bool[Tensor, "batch tokens"] | None,
    ) -> Float[Tensor, "batch dim"]:
        """Return one vector for each spectrum.

        Parameters
        ----------
        tokens
            Of the encoder.
        seen
            Which of them count; None for all.
        """
        if seen is None:
            return tokens.mean(dim=1)
        weight = seen[..., None].to(tokens.dtype)
        return (tokens * weight).sum(dim=1) / weight.sum(dim=1)


class AttentionPool(nn.Module):
    """What one learned query finds among the tokens.

    Parameters
    ----------
    dim
        Width of the tokens.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        # Zero at first: all tokens weigh the same, so training starts from the mean.
        self.query = nn.Parameter(torch.zeros(dim))

    def forward(
        self,
        tokens: Float[Tensor, "batch tokens dim"],
        seen: Bool[Tensor, "batch tokens"] | None,
    ) -> Float[Tensor, "batch dim"]:
        """Return one vector for each spectrum; see `MeanPool.forward`."""
        score = tokens @ self.query / tokens.shape[-1] ** 0.5
        if seen is not None:
            score = score.masked_fill(~seen, -torch.inf)
        return (torch.softmax(score, dim=1)[..., None] * tokens).sum(dim=1)


class RetrievalHead(nn.Module):
    """A small network that brings spectra of one source by several instruments together.

    Parameters
    ----------
    dim
        Length of pooled vectors.
    dim_out
        Length of the vectors it gives.
    """

    def __init__(self, dim: int, dim_out: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.bend = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(2 * dim, dim_out)

    def forward(self, pooled: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim_out"]:
        """Return vectors of unit length."""
        bent = nn.functional.gelu(self.bend(self.norm(pooled)))
        return nn.functional.normalize(self.out(bent).float(), dim=-1)
