"""Layers of the transformer."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from aion_encoder.attention import fused_attention

__all__ = ["CrossLayer", "SelfLayer"]

Tokens = Float[Tensor, "batch tokens dim"]
Seen = Bool[Tensor, "batch 1 1 tokens"]
"""True where a token may be seen."""


def _network(dim: int, ratio: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(dim, ratio * dim), nn.GELU(), nn.Linear(ratio * dim, dim))


def _heads(values: Tensor, heads: int) -> Tensor:
    batch, tokens, dim = values.shape
    return values.reshape(batch, tokens, heads, dim // heads).transpose(1, 2)


class SelfLayer(nn.Module):
    """Attention among tokens, then a network for each; both after a normalisation.

    Parameters
    ----------
    dim, heads, ratio
        Width, number of heads, and width of the network in units of `dim`.
    """

    def __init__(self, dim: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.mix = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.network_norm = nn.LayerNorm(dim)
        self.network = _network(dim, ratio)

    def forward(self, tokens: Tokens, seen: Seen | None) -> Tokens:
        """Return the tokens after this layer; what is not seen comes out without meaning."""
        query, key, value = (
            _heads(each, self.heads) for each in self.mix(self.norm(tokens)).chunk(3, dim=-1)
        )
        found = fused_attention(query, key, value, seen)
        tokens = tokens + self.out(found.transpose(1, 2).flatten(2))
        result: Tensor = tokens + self.network(self.network_norm(tokens))
        return result


class CrossLayer(nn.Module):
    """Queries look at tokens, then a network for each query; queries never see each other.

    So what comes out for one wavelength does not depend on which others are asked for.

    Parameters
    ----------
    dim, heads, ratio
        See `SelfLayer`.
    """

    def __init__(self, dim: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.ask = nn.Linear(dim, dim)
        self.tell = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)
        self.network_norm = nn.LayerNorm(dim)
        self.network = _network(dim, ratio)

    def forward(
        self,
        queries: Float[Tensor, "batch queries dim"],
        tokens: Tokens,
        nearness: Float[Tensor, "batch heads queries tokens"],
    ) -> Float[Tensor, "batch queries dim"]:
        """Return the queries after this layer.

        Parameters
        ----------
        queries
            What is asked.
        tokens
            What is known, already normalised.
        nearness
            Is added to the products of queries and keys.
        """
        query = _heads(self.ask(self.norm(queries)), self.heads)
        key, value = (_heads(each, self.heads) for each in self.tell(tokens).chunk(2, dim=-1))
        found = fused_attention(query, key, value, nearness)
        queries = queries + self.out(found.transpose(1, 2).flatten(2))
        result: Tensor = queries + self.network(self.network_norm(queries))
        return result
