"""Tokens of a spectrum made one vector."""

import math

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from aion_encoder.universal_spectra.config import UstConfig
from aion_encoder.universal_spectra.token_encoder import Tokens

__all__ = ["MeanPool", "RetrievalHead", "WindowPool"]


class MeanPool(nn.Module):
    """The mean of the tokens, every patch with the same weight; nothing is learned."""

    def forward(self, tokens: Tokens) -> Float[Tensor, "batch dim"]:
        """Return one vector for each spectrum."""
        if tokens.seen is None:
            return tokens.values.mean(dim=1)
        weight = tokens.seen[..., None].to(tokens.values.dtype)
        return (tokens.values * weight).sum(dim=1) / weight.sum(dim=1)


class WindowPool(nn.Module):
    """Means of the tokens in windows of wavelength, each seen along learned directions, joined.

    A plain mean forgets where a token stood. Here a token counts in the windows that its patch
    overlaps: hat functions, even in log wavelength, that add up to one everywhere. What a spectrum
    does not cover is zero, and how much of each window it covers is joined as well. Nothing depends
    on how finely a window is sampled: ten patches in it weigh what one weighs that is ten times as
    wide.

    Parameters
    ----------
    config
        Sizes and place of the windows.
    """

    def __init__(self, config: UstConfig) -> None:
        super().__init__()
        self.windows = config.windows
        self.first = math.log(config.first_window_angstrom)
        last = math.log(config.last_window_angstrom)
        self.step = (last - self.first) / (config.windows - 1)
        self.directions = nn.Parameter(torch.zeros(config.windows, config.dim, config.window_dim))
        nn.init.trunc_normal_(self.directions, std=config.dim**-0.5)

    def shares(self, spans: Float32[Tensor, "batch tokens 2"]) -> Float32[Tensor, "batch tokens w"]:
        """Return which share of each window every patch covers.

        Patches beyond the outermost windows count in those.

        Parameters
        ----------
        spans
            Middle and width in Angstrom.
        """
        middle, width = spans.unbind(dim=-1)
        low, high = middle - 0.5 * width, middle + 0.5 * width
        half = 0.5 * torch.log(high / low.clamp(min=1.0)) / self.step
        place = ((torch.log(middle) - self.first) / self.step).clamp(0.0, self.windows - 1.0)
        off = place[..., None] - torch.arange(self.windows, device=spans.device)
        return _below(off + half[..., None]) - _below(off - half[..., None])

    def means(
        self, tokens: Tokens
    ) -> tuple[Float[Tensor, "batch w dim"], Float32[Tensor, "batch w"]]:
        """Return the mean token of each window and how much of it is covered, 0 to 1."""
        shares = self.shares(tokens.spans)
        if tokens.seen is not None:
            shares = shares * tokens.seen[..., None]
        covered = shares.sum(dim=1)
        sums = torch.einsum("btw,btd->bwd", shares.to(tokens.values.dtype), tokens.values)
        known = covered.clamp(min=1e-6)[..., None].to(sums.dtype)
        return sums / known, covered.clamp(max=1.0)

    def join(
        self, means: Float[Tensor, "batch w dim"], covered: Float32[Tensor, "batch w"]
    ) -> Float[Tensor, "batch joined"]:
        """Return all windows along their directions, and their coverage, as one vector."""
        # A window of which a tenth is covered counts half: its mean stands for little.
        known = covered / (covered + 0.1)
        seen = torch.einsum("bwd,wdk->bwk", means, self.directions.to(means.dtype))
        seen = seen * known[..., None].to(means.dtype)
        return torch.cat([seen.flatten(1), known.to(means.dtype)], dim=1)

    def forward(self, tokens: Tokens) -> Float[Tensor, "batch joined"]:
        """Return one vector for each spectrum."""
        return self.join(*self.means(tokens))


def _below(offset: Tensor) -> Tensor:
    """Return the integral of the hat function on (-1, 1) up to an offset."""
    inside = offset.clamp(-1.0, 1.0)
    return torch.where(inside < 0.0, 0.5 * (1.0 + inside) ** 2, 1.0 - 0.5 * (1.0 - inside) ** 2)


class RetrievalHead(nn.Module):
    """A linear map with a small network beside it, to unit length.

    It brings spectra of one source by several instruments together.

    Parameters
    ----------
    size, hidden
        Length of pooled vectors, and width of the network.
    dim_out
        Length of the vectors it gives.
    """

    def __init__(self, size: int, hidden: int, dim_out: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.straight = nn.Linear(size, dim_out, bias=False)
        self.bend = nn.Linear(size, hidden)
        self.out = nn.Linear(hidden, dim_out)

    def forward(self, pooled: Float[Tensor, "batch size"]) -> Float[Tensor, "batch dim_out"]:
        """Return vectors of unit length."""
        even = self.norm(pooled)
        bent = nn.functional.gelu(self.bend(even))
        return nn.functional.normalize((self.straight(even) + self.out(bent)).float(), dim=-1)
