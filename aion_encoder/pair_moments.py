"""Means and covariances of pairs of vectors, gathered block by block.

Whatever the number of pairs, only the sums of their products are kept: (d1 + d2)^2 numbers.
"""

from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

__all__ = ["PairMoments"]


class PairMoments:
    """Sums over pairs (x, y), in float64.

    Products are summed about the mean of the first block: about the origin they would lose the
    digits in which a large common mean exceeds the spread.
    """

    def __init__(self) -> None:
        self.count = 0
        self._shift: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None = None
        self._sums: list[np.ndarray[Any, Any]] = []
        self._products: list[np.ndarray[Any, Any]] = []

    def add(self, x: Float32[np.ndarray, "n d1"], y: Float32[np.ndarray, "n d2"]) -> None:
        """Add pairs of vectors, row by row.

        Raises
        ------
        ValueError
            If the sides have different counts, differ in length from earlier ones, or hold
            anything that is not finite.
        """
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
            raise ValueError(f"pairs must be two tables of equal length, got {x.shape}, {y.shape}")
        if not len(x):
            return
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise ValueError("vectors must be finite; leave out pairs that lack a vector")
        if self._shift is None:
            self._shift = x.mean(axis=0), y.mean(axis=0)
            dims = x.shape[1], y.shape[1]
            self._sums = [np.zeros(dim) for dim in dims]
            self._products = [np.zeros((dims[a], dims[b])) for a, b in ((0, 0), (1, 1), (0, 1))]
        expected = tuple(shift.size for shift in self._shift)
        if (x.shape[1], y.shape[1]) != expected:
            raise ValueError(
                f"vectors must have the lengths of the earlier ones, {expected}, "
                f"got {(x.shape[1], y.shape[1])}"
            )
        x, y = x - self._shift[0], y - self._shift[1]
        self.count += len(x)
        for total, side in zip(self._sums, (x, y), strict=True):
            total += side.sum(axis=0)
        for total, (one, other) in zip(self._products, ((x, x), (y, y), (x, y)), strict=True):
            total += one.T @ other

    @property
    def mean_x(self) -> Float64[np.ndarray, " d1"]:
        """Mean of the x, at least one pair being there."""
        return self._mean(0)

    @property
    def mean_y(self) -> Float64[np.ndarray, " d2"]:
        """Mean of the y, at least one pair being there."""
        return self._mean(1)

    def _mean(self, side: int) -> np.ndarray[Any, Any]:
        assert self._shift is not None
        return np.asarray(self._shift[side] + self._sums[side] / self.count)

    def covariances(
        self,
    ) -> tuple[
        Float64[np.ndarray, "d1 d1"], Float64[np.ndarray, "d2 d2"], Float64[np.ndarray, "d1 d2"]
    ]:
        """Return the sample covariances of x, of y, and of x with y, of at least two pairs."""
        rests = [total / self.count for total in self._sums]
        pairs = ((0, 0), (1, 1), (0, 1))
        xx, yy, xy = (
            (products - self.count * np.outer(rests[a], rests[b])) / (self.count - 1)
            for products, (a, b) in zip(self._products, pairs, strict=True)
        )
        return xx, yy, xy
