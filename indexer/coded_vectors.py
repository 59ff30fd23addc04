"""Vectors of which 8 bits a dimension are kept: half of float16, and enough to rank again.

A code stands for one of 256 evenly spaced values of its dimension. What is read is of unit length
again. The values lie beside the codes, so that each file of vectors can be read alone, and a
segment that is added to an index has its own.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from indexer.durable import replacing
from indexer.errors import IndexFormatError

__all__ = ["CodedVectors", "Scale", "fit_scale", "read_scale", "scale_file", "write_scale"]

_LEVELS = 255
_MARGIN = 0.05
"""Of the range of a sample, kept free on both sides for what the sample lacks."""

_SMALLEST_STEP = 1e-9


@dataclass(frozen=True, eq=False)
class Scale:
    """Which value each code of each dimension stands for.

    Attributes
    ----------
    least
        Value of the code 0.
    step
        Difference between the values of two codes that follow each other.
    """

    least: Float32[np.ndarray, " dim"]
    step: Float32[np.ndarray, " dim"]

    def codes(self, vectors: Float32[np.ndarray, "n dim"]) -> UInt8[np.ndarray, "n dim"]:
        """Return the nearest code of each number; beyond the ends, the last one."""
        scaled = np.rint((vectors - self.least) / self.step)
        found: np.ndarray[Any, Any] = np.clip(scaled, 0, _LEVELS).astype(np.uint8)
        return found

    def vectors(self, codes: UInt8[np.ndarray, "n dim"]) -> Float32[np.ndarray, "n dim"]:
        """Return what codes stand for, of unit length, each vector computed alone."""
        found: np.ndarray[Any, Any] = codes.astype(np.float32)
        found *= self.step
        found += self.least
        found /= np.sqrt(np.einsum("ij,ij->i", found, found))[:, None]
        return found


def fit_scale(sample: Float32[np.ndarray, "n dim"]) -> Scale:
    """Choose values that cover a sample and a little more."""
    low, high = sample.min(axis=0), sample.max(axis=0)
    margin = _MARGIN * (high - low)
    step = np.maximum((high - low + 2 * margin) / _LEVELS, _SMALLEST_STEP)
    return Scale((low - margin).astype(np.float32), step.astype(np.float32))


def scale_file(path: Path) -> Path:
    """Return the file of the values of the codes at a path."""
    return path.with_name(f"{path.stem}.scale.npy")


def write_scale(path: Path, scale: Scale) -> None:
    """Write the values of the codes that lie, or will lie, at a path."""
    with replacing(scale_file(path)) as temporary, temporary.open("wb") as stream:
        np.save(stream, np.stack([scale.least, scale.step]).astype("<f4"))


def read_scale(path: Path, dim: int) -> Scale:
    """Read the values of the codes that lie at a path.

    Raises
    ------
    IndexFormatError
        If they are missing, or are not those of so many dimensions.
    """
    file = scale_file(path)
    try:
        least, step = np.load(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise IndexFormatError(
            f"{file} must hold what the codes beside it stand for, but cannot be read ({error}); "
            "build the index again"
        ) from error
    usable = least.dtype == step.dtype == np.float32 and least.shape == step.shape == (dim,)
    if not usable or not np.isfinite(least).all() or not (step > 0.0).all():
        raise IndexFormatError(
            f"{file} must hold finite least values and positive steps of {dim} dimensions as "
            f"float32, got {least.dtype} of shape {least.shape}; build the index again"
        )
    return Scale(least, step)


@dataclass(frozen=True, eq=False)
class CodedVectors:
    """Vectors as their codes; what is taken out of it are unit vectors in float32.

    Stands wherever a float16 matrix of vectors stands: it has a length and a shape, and any
    slice, array of positions or single position takes vectors out.
    """

    codes: UInt8[np.ndarray, "n dim"]
    scale: Scale

    @property
    def shape(self) -> tuple[int, int]:
        """Number of vectors, and their length."""
        return (int(self.codes.shape[0]), int(self.codes.shape[1]))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, chosen: Any) -> Float32[np.ndarray, "..."]:
        codes = np.asarray(self.codes[chosen])
        found: np.ndarray[Any, Any] = self.scale.vectors(np.atleast_2d(codes))
        return found[0] if codes.ndim == 1 else found
