"""Directions along which a learned pooling sees its cells: fixed before anything is learned.

First come those that tell best, by ridge regression, what flux a cell was made from (see
`aion_encoder.training.fluxes`), then the leading principal directions. Maps of cells that were
learned from the first step on overfitted: see docs/decisions.md.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64

from aion_encoder.training.fluxes import flux_directions

__all__ = ["cell_directions", "usual"]

_FLOOR = 0.05
"""Of the spread of a value, in units of the mean spread."""

_LEAST = 1e-6


def cell_directions(
    cells: Sequence[Float32[np.ndarray, "n cells size"]],
    fluxes: Sequence[Float32[np.ndarray, "n cells fluxes"]] | None,
    width: int,
    *,
    first_apart: bool,
) -> Float32[np.ndarray, "size width"]:
    """Return directions for the cells of a modality.

    Parameters
    ----------
    cells, fluxes
        Of the same observations, an array for each survey; None where cells have no fluxes.
    width
        How many.
    first_apart
        Whether the first cell tells another flux than all others: the brightness of a spectrum.

    Returns
    -------
    Values that half precision holds exactly, as a checkpoint keeps them.
    """
    every = np.concatenate([each.reshape(-1, each.shape[2]) for each in cells])
    mean, spread = every.mean(axis=0, dtype=np.float64), every.std(axis=0, dtype=np.float64)
    spread = spread + _FLOOR * spread.mean() + _LEAST
    found: list[Float64[np.ndarray, "size some"]] = []
    if fluxes is not None:
        for part in (np.s_[1:], np.s_[:1]) if first_apart else (np.s_[:],):
            x = np.concatenate([each[:, part].reshape(-1, each.shape[2]) for each in cells])
            y = np.concatenate([each[:, part].reshape(-1, each.shape[2]) for each in fluxes])
            found.append(flux_directions((x - mean) / spread, y))
    scaled = ((every - mean) / spread).astype(np.float32)
    _, axes = np.linalg.eigh((scaled.T @ scaled).astype(np.float64) / len(scaled))
    found.append(axes[:, ::-1])
    joined = np.concatenate(found, axis=1)[:, :width] / spread[:, None]
    return np.asarray(joined.astype(np.float16), np.float32)


def usual(
    projected: Float32[np.ndarray, "n cells width"],
) -> tuple[Float32[np.ndarray, "cells width"], Float32[np.ndarray, "cells width"]]:
    """Return mean and spread of every cell along every direction, as half precision holds them."""
    mean, spread = projected.mean(axis=0), projected.std(axis=0)
    spread = np.maximum(spread, _FLOOR * spread.mean() + _LEAST)
    return mean.astype(np.float16).astype(np.float32), spread.astype(np.float16).astype(np.float32)
