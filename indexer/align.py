"""Alignment: heads that bring images and spectra into the space ``shared``.

Fitted on linked pairs, objects of different releases that are one source. A fifth of the sky's
cells is held out, and what the heads recover there is written beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from aion_encoder.heads import DIMENSIONS, EMPHASIS, RIDGE, LinearHead, fit_linear
from indexer.spaces import to_unit

__all__ = ["ALIGNED_MODALITIES", "LEAST_PAIRS", "Aligned", "Pairs", "fit_heads"]

ALIGNED_MODALITIES = ("image", "spectrum")

LEAST_PAIRS = 100
"""Linked pairs below which nothing is fitted."""

HELD_OUT = 0.2
RECALL_AT = 10

_HEALPIX_ORDER = 29
_CELLS_WANTED = 50
_COARSEST, _FINEST = 4, 13


@dataclass(frozen=True, eq=False)
class Pairs:
    """Linked pairs of two modalities.

    Attributes
    ----------
    left, right
        Vectors of the two sides in the spaces of their modalities, row by row.
    healpix_29
        Where on the sky each pair lies.
    """

    left: Float32[np.ndarray, "n d1"]
    right: Float32[np.ndarray, "n d2"]
    healpix_29: Int64[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Aligned:
    """Heads, and what is known about them.

    Attributes
    ----------
    heads
        By modality.
    facts
        What JSON can hold: pairs, dimensions, ridge, held-out cells and recall.
    """

    heads: Mapping[str, LinearHead]
    facts: Mapping[str, Any]


def held_out_cells(healpix_29: Int64[np.ndarray, " n"]) -> tuple[Any, int]:
    """Choose which pairs to hold out, by whole HEALPix cells.

    Neighbours on the sky, and repeated exposures of one source, must not fall on both sides. The
    cells are the coarsest from order 4 that are at least 50, so that a fifth of them is a fifth
    of the pairs.

    Returns
    -------
    held_out, order
        Shape (n,), True for a pair that is held out; and the order of the cells.
    """
    for order in range(_COARSEST, _FINEST + 1):
        cells = healpix_29 >> (2 * (_HEALPIX_ORDER - order))
        if len(np.unique(cells)) >= _CELLS_WANTED:
            break
    # Multiplicative hashing (Knuth 1973): neighbouring cells get unrelated numbers.
    scattered = (cells.astype(np.uint64) * np.uint64(2654435761)) % np.uint64(2**32)
    return scattered < np.uint64(int(HELD_OUT * 2**32)), order


def fit_heads(pairs: Pairs) -> Aligned | str:
    """Fit heads to linked pairs of images and spectra.

    Returns
    -------
    The heads, or the reason why there are none.
    """
    count = len(pairs.left)
    if count < LEAST_PAIRS:
        return (
            f"images and spectra are not aligned: at least {LEAST_PAIRS} linked pairs are needed, "
            f"there are {count}"
        )
    held_out, order = held_out_cells(pairs.healpix_29)
    dimensions = min(DIMENSIONS, pairs.left.shape[1], pairs.right.shape[1])
    kept = ~held_out
    left, right = fit_linear(
        pairs.left[kept],
        pairs.right[kept],
        dimensions=dimensions,
        ridge=RIDGE,
        emphasis=EMPHASIS,
    )
    to_right, to_left = recall(
        to_unit(left.apply(pairs.left[held_out])), to_unit(right.apply(pairs.right[held_out]))
    )
    image, spectrum = ALIGNED_MODALITIES
    facts = {
        "method": "regularised canonical correlation of linked pairs",
        "dimensions": dimensions,
        "ridge": RIDGE,
        "emphasis": EMPHASIS,
        "pairs": int(kept.sum()),
        "held_out_pairs": int(held_out.sum()),
        "held_out_healpix_order": order,
        f"recall_at_{RECALL_AT}_{image}_to_{spectrum}": round(to_right, 4),
        f"recall_at_{RECALL_AT}_{spectrum}_to_{image}": round(to_left, 4),
    }
    return Aligned({image: left, spectrum: right}, facts)


def recall(
    left: Float32[np.ndarray, "n d"], right: Float32[np.ndarray, "n d"]
) -> tuple[float, float]:
    """Return how often the partner is among the ten nearest of the held-out, both ways.

    NaN becomes 0 where nothing was held out. Ties count against the partner.
    """
    if not len(left):
        return 0.0, 0.0
    scores = left @ right.T
    own = np.diagonal(scores)
    better_right = (scores >= own[:, None]).sum(axis=1) - 1
    better_left = (scores >= own[None, :]).sum(axis=0) - 1
    return float((better_right < RECALL_AT).mean()), float((better_left < RECALL_AT).mean())
