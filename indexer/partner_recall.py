"""How often heads find the partner of a held-out pair, with an interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

from aion_encoder.heads import Head
from indexer.pairs import ReleasePairs
from indexer.spaces import to_unit

__all__ = ["GALLERY", "RECALL_AT", "Gallery", "galleries", "mean_recall", "recalls"]

RECALL_AT = 10
GALLERY = 2000
"""Pairs of a gallery, at most: a figure goes with the size of what is searched."""

LEAST_GALLERY = 2 * RECALL_AT
"""Pairs below which being among the ten nearest says little."""

_RESAMPLES = 1000
_BLOCK_QUERIES = 512


@dataclass(frozen=True, eq=False)
class Gallery:
    """Held-out pairs of two modalities, with their vectors in the spaces of these.

    Attributes
    ----------
    left, right
        The modalities.
    x, y
        Vectors of the two sides, row by row.
    sources
        Which source each pair is of.
    """

    left: str
    right: str
    x: Float32[np.ndarray, "n d1"]
    y: Float32[np.ndarray, "n d2"]
    sources: Int64[np.ndarray, " n"]


def galleries(pairs: Sequence[ReleasePairs], at_most: int = GALLERY) -> list[Gallery]:
    """Gather galleries of held-out pairs: one for every two modalities, of all releases together.

    Those with fewer than `LEAST_GALLERY` pairs are left out.
    """
    found = []
    for left, right in dict.fromkeys(each.modalities for each in pairs):
        chosen = [each for each in pairs if each.modalities == (left, right)]
        count = sum(len(each) for each in chosen)
        if count < LEAST_GALLERY:
            continue
        # Every n-th of all, counted through, so that each release has its share.
        numbers = np.unique(np.linspace(0, count - 1, min(count, at_most)).astype(np.int64))
        starts = np.cumsum([0, *(len(each) for each in chosen)])
        taken = [
            each.only(numbers[(numbers >= start) & (numbers < start + len(each))] - start)
            for each, start in zip(chosen, starts, strict=False)
        ]
        vectors = [each.take(np.arange(len(each))) for each in taken if len(each)]
        found.append(
            Gallery(
                left,
                right,
                np.concatenate([x for x, _ in vectors]),
                np.concatenate([y for _, y in vectors]),
                np.concatenate([each.sources for each in taken]),
            )
        )
    return found


def partner_found(
    queries: Float32[np.ndarray, "n d"],
    targets: Float32[np.ndarray, "n d"],
    sources: Int64[np.ndarray, " n"],
) -> Bool[np.ndarray, " n"]:
    """Say for each query whether its partner is among the ten nearest targets.

    Ties count against the partner; other targets of its own source do not count at all.
    """
    found = np.zeros(len(queries), bool)
    for start in range(0, len(queries), _BLOCK_QUERIES):
        rows = np.arange(start, min(start + _BLOCK_QUERIES, len(queries)))
        scores = queries[rows] @ targets.T
        own = scores[np.arange(len(rows)), rows]
        better = (scores >= own[:, None]) & (sources[rows, None] != sources[None, :])
        found[rows] = better.sum(axis=1) < RECALL_AT
    return found


def hits_of(
    heads: Mapping[str, Head], held_out: Sequence[Gallery]
) -> dict[str, Bool[np.ndarray, " n"]]:
    """Return which queries found their partner, by direction, such as ``image_to_spectrum``."""
    found: dict[str, list[np.ndarray[Any, Any]]] = {}
    for each in held_out:
        x, y = to_unit(heads[each.left].apply(each.x)), to_unit(heads[each.right].apply(each.y))
        there = found.setdefault(f"{each.left}_to_{each.right}", [])
        there.append(partner_found(x, y, each.sources))
        back = found.setdefault(f"{each.right}_to_{each.left}", [])
        back.append(partner_found(y, x, each.sources))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def mean_recall(heads: Mapping[str, Head], held_out: Sequence[Gallery]) -> float:
    """Return the recall at ten, averaged over all directions, each counting once."""
    return float(np.mean([found.mean() for found in hits_of(heads, held_out).values()]))


def recalls(
    heads: Mapping[str, Head], held_out: Sequence[Gallery], *, seed: int
) -> dict[str, dict[str, float | int]]:
    """Return recall at ten by direction, with a 95 % bootstrap interval over queries.

    Returns
    -------
    By direction: ``recall_at_10``, ``low``, ``high`` and the number of ``queries``.
    """
    rng = np.random.default_rng(seed)
    values: dict[str, dict[str, float | int]] = {}
    for name, found in hits_of(heads, held_out).items():
        # Resampling n yes-or-no values is drawing their number from a binomial distribution.
        share = float(found.mean())
        again = rng.binomial(len(found), share, _RESAMPLES) / len(found)
        low, high = np.percentile(again, [2.5, 97.5])
        values[name] = {
            f"recall_at_{RECALL_AT}": round(share, 4),
            "low": round(float(low), 4),
            "high": round(float(high), 4),
            "queries": len(found),
        }
    return values
