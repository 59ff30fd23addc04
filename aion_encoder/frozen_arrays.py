"""Arrays of heads: those that nobody can change, and those that come in."""

import numpy as np
from jaxtyping import Float32

__all__ = ["checked_rows", "frozen_float32"]


def frozen_float32(values: np.ndarray) -> Float32[np.ndarray, "..."]:
    """Return a contiguous, read-only float32 copy."""
    array = np.array(values, np.float32, order="C", copy=True)
    array.setflags(write=False)
    return array


def checked_rows(vectors: np.ndarray, width: int) -> Float32[np.ndarray, "n width"]:
    """Return rows of vectors as float32.

    Raises
    ------
    ValueError
        If they are not rows of that width.
    """
    rows = np.asarray(vectors, np.float32)
    if rows.ndim != 2 or rows.shape[1] != width:
        raise ValueError(f"vectors must have the shape (n, {width}), got {rows.shape}")
    return rows
