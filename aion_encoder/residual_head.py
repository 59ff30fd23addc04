"""A linear head with a small network beside it, applied with NumPy alone."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float32

from aion_encoder.frozen_arrays import checked_rows, frozen_float32

__all__ = ["ResidualHead"]

_BLOCK_ROWS = 8192
"""Rows at once: hidden values of so many are some tens of megabytes."""

_SMALLEST_NORM = 1e-12


@dataclass(frozen=True, eq=False)
class ResidualHead:
    """One modality's way into the shared space: a linear map, and what it cannot do.

    With c = x - mean, the vector is

        unit(c projection + silu(c hidden_weight + hidden_bias) output_weight + output_bias)

    where silu(t) = t / (1 + exp(-t)). With an output_weight of zero it is a linear head.

    Attributes
    ----------
    mean
        Shape (d,).
    projection
        Shape (d, dimensions).
    hidden_weight, hidden_bias
        Shapes (d, hidden) and (hidden,).
    output_weight, output_bias
        Shapes (hidden, dimensions) and (dimensions,).
    """

    kind: ClassVar[str] = "residual"
    parts: ClassVar[tuple[str, ...]] = (
        "mean",
        "projection",
        "hidden_weight",
        "hidden_bias",
        "output_weight",
        "output_bias",
    )

    mean: Float32[np.ndarray, " d"]
    projection: Float32[np.ndarray, "d dimensions"]
    hidden_weight: Float32[np.ndarray, "d hidden"]
    hidden_bias: Float32[np.ndarray, " hidden"]
    output_weight: Float32[np.ndarray, "hidden dimensions"]
    output_bias: Float32[np.ndarray, " dimensions"]

    def __post_init__(self) -> None:
        for name in self.parts:
            object.__setattr__(self, name, frozen_float32(getattr(self, name)))
        d, hidden, dimensions = self.mean.size, self.hidden_bias.size, self.output_bias.size
        shapes = ((d,), (d, dimensions), (d, hidden), (hidden,), (hidden, dimensions))
        for name, expected in zip(self.parts, (*shapes, (dimensions,)), strict=True):
            values = getattr(self, name)
            if values.shape != expected:
                raise ValueError(
                    f"a head's {name} must have the shape {expected}, got {values.shape}"
                )
            if not np.all(np.isfinite(values)):
                raise ValueError("a head must hold finite numbers only")

    @property
    def input_dim(self) -> int:
        """Length of the vectors that it takes."""
        return int(self.mean.size)

    @property
    def dim(self) -> int:
        """Length of the vectors that it gives."""
        return int(self.output_bias.size)

    def apply(self, x: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "n dimensions"]:
        """Return vectors of unit length in the shared space.

        Raises
        ------
        ValueError
            If the vectors are not of the length that the head was fitted to.
        """
        x = checked_rows(x, self.mean.size)
        result = np.empty((len(x), self.dim), np.float32)
        for start in range(0, len(x), _BLOCK_ROWS):
            centred = x[start : start + _BLOCK_ROWS] - self.mean
            inner = centred @ self.hidden_weight + self.hidden_bias
            # The same as t / (1 + exp(-t)), without an exponential that overflows.
            inner = 0.5 * inner * (1.0 + np.tanh(0.5 * inner))
            moved = centred @ self.projection + inner @ self.output_weight + self.output_bias
            norms = np.linalg.norm(moved, axis=1, keepdims=True)
            result[start : start + len(moved)] = moved / np.maximum(norms, _SMALLEST_NORM)
        return result
