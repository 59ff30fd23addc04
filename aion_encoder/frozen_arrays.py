"""Arrays that nobody can change, for values that are frozen."""

import numpy as np
from jaxtyping import Float32

__all__ = ["frozen_float32"]


def frozen_float32(values: np.ndarray) -> Float32[np.ndarray, "..."]:
    """Return a contiguous, read-only float32 copy."""
    array = np.array(values, np.float32, order="C", copy=True)
    array.setflags(write=False)
    return array
