"""Heads that bring the vectors of several modalities into one shared space.

Two kinds: linear, and linear with a small network beside it (`aion_encoder.residual_head`). Both
are applied with NumPy alone. Linear heads are fitted by regularised canonical correlation
analysis (Hotelling 1936; ridge after Vinod 1976): both sides are centred and whitened, and the
singular vectors of their cross-covariance are the directions in which paired vectors agree best.
A further side joins such a space by ridge regression onto the coordinates of its partners.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from jaxtyping import Float32, Float64
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from aion_encoder.errors import CheckpointError
from aion_encoder.frozen_arrays import checked_rows, frozen_float32
from aion_encoder.pair_moments import PairMoments
from aion_encoder.residual_head import ResidualHead

__all__ = [
    "DIMENSIONS",
    "EMPHASIS",
    "RIDGE",
    "Head",
    "LinearHead",
    "fit_linear",
    "fit_linear_into",
    "fit_linear_moments",
    "load_heads",
    "save_heads",
]

DIMENSIONS = 64
RIDGE = 1e-3
EMPHASIS = 4.0
"""What heads between whitened vectors are fitted with; chosen by measurement, see
``docs/decisions.md``."""


class Head(Protocol):
    """A map of one modality's vectors into the shared space."""

    @property
    def input_dim(self) -> int:
        """Length of the vectors that it takes."""

    @property
    def dim(self) -> int:
        """Length of the vectors that it gives."""

    def apply(self, x: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "n dimensions"]:
        """Return vectors in the shared space; only their directions have a meaning.

        Raises
        ------
        ValueError
            If the vectors are not of the length that the head was fitted to.
        """


@dataclass(frozen=True, eq=False)
class LinearHead:
    """An affine map of one modality's vectors into the shared space.

    Attributes
    ----------
    mean
        Subtracted first, shape (d,).
    projection
        Shape (d, dimensions).
    correlations
        Correlation of each direction with its partner on the pairs it was fitted to, shape
        (dimensions,).
    offset
        Added at the end, shape (dimensions,); None for nothing. A side that joined a space later
        lies where its partners lie, which is not around the origin.
    """

    kind: ClassVar[str] = "linear"
    parts: ClassVar[tuple[str, ...]] = ("mean", "projection", "correlations", "offset")

    mean: Float32[np.ndarray, " d"]
    projection: Float32[np.ndarray, "d dimensions"]
    correlations: Float32[np.ndarray, " dimensions"]
    offset: Float32[np.ndarray, " dimensions"] | None = None

    def __post_init__(self) -> None:
        for name in self.parts:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, frozen_float32(getattr(self, name)))
        expected = (self.mean.size, self.correlations.size)
        if self.mean.ndim != 1 or self.correlations.ndim != 1 or self.projection.shape != expected:
            raise ValueError(
                f"a head's projection must have the shape {expected}, got {self.projection.shape}"
            )
        if self.offset is not None and self.offset.shape != self.correlations.shape:
            raise ValueError(
                f"a head's offset must have the shape {self.correlations.shape}, "
                f"got {self.offset.shape}"
            )
        for values in (self.mean, self.projection, self.correlations, self.offset):
            if values is not None and not np.all(np.isfinite(values)):
                raise ValueError("a head must hold finite numbers only")

    @property
    def input_dim(self) -> int:
        """Length of the vectors that it takes."""
        return int(self.mean.size)

    @property
    def dim(self) -> int:
        """Length of the vectors that it gives."""
        return int(self.correlations.size)

    def apply(self, x: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "n dimensions"]:
        """Return vectors in the shared space, not of unit length.

        Raises
        ------
        ValueError
            If the vectors are not of the length that the head was fitted to.
        """
        x = checked_rows(x, self.mean.size)
        moved = (x - self.mean) @ self.projection
        return np.asarray(moved if self.offset is None else moved + self.offset, np.float32)


def _whitening(covariance: np.ndarray, ridge: float) -> Float64[np.ndarray, "d d"]:
    """Inverse square root of a covariance with `ridge` mean variances added to its diagonal."""
    mean_variance = float(np.trace(covariance)) / len(covariance)
    values, directions = np.linalg.eigh(covariance)
    values = np.maximum(values, 0.0) + ridge * mean_variance
    # Without a ridge, directions without variance must not be blown up to noise.
    scale = np.zeros_like(values)
    usable = values > 1e-10 * values.max()
    scale[usable] = values[usable] ** -0.5
    return np.asarray((directions * scale) @ directions.T)


def fit_linear(
    x: Float32[np.ndarray, "n d1"],
    y: Float32[np.ndarray, "n d2"],
    *,
    dimensions: int,
    ridge: float,
    emphasis: float = 1.0,
) -> tuple[LinearHead, LinearHead]:
    """Fit one head per side to pairs of vectors.

    Parameters
    ----------
    x, y
        Vectors of the same objects, row by row.
    dimensions
        Of the shared space; at most the smaller of the two lengths.
    ridge
        Added to the diagonal of both covariances, in units of their mean variance; not negative.
    emphasis
        Each direction is scaled by this power of its correlation, so that directions in which the
        two sides hardly agree have little say in a cosine. 0 treats all alike. On simulated pairs
        with 24 common factors of falling quality, the partner was among the ten nearest of 1,000
        for 28 % of the queries with 0, 77 % with 1 and 74 % with 2.

    Returns
    -------
    The heads of `x` and of `y`. Equal input gives equal heads.

    Raises
    ------
    ValueError
        If the sides have different counts or too few rows, hold anything that is not finite, or
        do not vary.
    """
    moments = PairMoments()
    moments.add(x, y)
    return fit_linear_moments(moments, dimensions=dimensions, ridge=ridge, emphasis=emphasis)


def fit_linear_moments(
    moments: PairMoments, *, dimensions: int, ridge: float, emphasis: float = 1.0
) -> tuple[LinearHead, LinearHead]:
    """Fit one head per side to what was gathered of pairs; see `fit_linear`.

    Raises
    ------
    ValueError
        If there are too few pairs, one side does not vary, or an argument is out of its range.
    """
    if moments.count < 3:
        raise ValueError(f"at least 3 pairs are needed, got {moments.count}")
    most = min(moments.mean_x.size, moments.mean_y.size)
    if not 1 <= dimensions <= most:
        raise ValueError(f"dimensions must lie in 1-{most}, got {dimensions}")
    _check_ridge(ridge)
    cov_x, cov_y, cross = moments.covariances()
    if not (np.trace(cov_x) > 0.0 and np.trace(cov_y) > 0.0):
        raise ValueError("vectors must vary: all rows of one side are equal")
    white_x, white_y = _whitening(cov_x, ridge), _whitening(cov_y, ridge)
    left, correlations, right = np.linalg.svd(white_x @ cross @ white_y)
    left, right = left[:, :dimensions], right[:dimensions].T
    # Singular vectors are free up to a common sign; fixing it makes the result reproducible.
    largest = np.abs(left).argmax(axis=0)
    signs = np.where(left[largest, np.arange(dimensions)] < 0.0, -1.0, 1.0)
    correlations = np.clip(correlations[:dimensions], 0.0, 1.0)
    weight = signs * correlations**emphasis
    return (
        LinearHead(moments.mean_x, white_x @ left * weight, correlations),
        LinearHead(moments.mean_y, white_y @ right * weight, correlations),
    )


def fit_linear_into(moments: PairMoments, *, ridge: float) -> LinearHead:
    """Fit a head that brings one more side into a shared space that is there already.

    Ridge regression of the partners' coordinates: with covariance S of the side and C with the
    coordinates, ``projection = (S + ridge tr(S)/d I)^-1 C``, and the mean of the coordinates is
    the offset. Directions that the side cannot tell shrink by themselves.

    Parameters
    ----------
    moments
        Of pairs whose x is the new side, and whose y are their partners' vectors in the space.
    ridge
        In units of the mean variance of the side; not negative.

    Raises
    ------
    ValueError
        If there are too few pairs, or the side does not vary.
    """
    if moments.count < 3:
        raise ValueError(f"at least 3 pairs are needed, got {moments.count}")
    _check_ridge(ridge)
    cov_x, cov_y, cross = moments.covariances()
    mean_variance = float(np.trace(cov_x)) / len(cov_x)
    if not mean_variance > 0.0:
        raise ValueError("vectors must vary: all rows of one side are equal")
    # Without a ridge, directions without variance are left out, as in `fit_linear`.
    inverse = np.linalg.pinv(
        cov_x + ridge * mean_variance * np.eye(len(cov_x)), rcond=1e-10, hermitian=True
    )
    projection = inverse @ cross
    explained = np.einsum("dk,de,ek->k", projection, cov_x, projection)
    spread = np.sqrt(explained.clip(0.0) * np.diagonal(cov_y).clip(0.0))
    agreement = np.einsum("dk,dk->k", projection, cross)
    correlations = np.divide(agreement, spread, out=np.zeros_like(spread), where=spread > 0.0)
    return LinearHead(
        moments.mean_x, projection, np.clip(correlations, 0.0, 1.0), offset=moments.mean_y
    )


def _check_ridge(ridge: float) -> None:
    if not (np.isfinite(ridge) and ridge >= 0.0):
        raise ValueError(f"ridge must be finite and not negative, got {ridge}")


_KINDS: Mapping[str, type[LinearHead] | type[ResidualHead]] = {
    each.kind: each for each in (LinearHead, ResidualHead)
}

_KINDS_KEY = "kinds"


def save_heads(
    path: Path,
    heads: Mapping[str, LinearHead | ResidualHead],
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write named heads to one safetensors file.

    Parameters
    ----------
    path
        File to write.
    heads
        Name (a modality) to head.
    metadata
        What JSON can hold; kept in the file's header, where ``kinds`` is added: the kind of each
        head.
    """
    tensors = {
        f"{name}.{part}": np.array(getattr(head, part))
        for name, head in heads.items()
        for part in head.parts
        if getattr(head, part) is not None
    }
    # One entry: safetensors writes several in any order, and equal heads must give equal bytes.
    values = {**(metadata or {}), _KINDS_KEY: {name: head.kind for name, head in heads.items()}}
    text = json.dumps(values, sort_keys=True, allow_nan=False)
    save_file(tensors, path, metadata={"metadata": text})


def load_heads(path: Path) -> tuple[dict[str, LinearHead | ResidualHead], dict[str, Any]]:
    """Read the heads of `save_heads` and their metadata.

    A file that does not state kinds was written when all heads were linear.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged or holds something else, such as a kind of head that is
        not known here.
    """
    try:
        with safe_open(path, framework="np") as file:
            metadata = json.loads((file.metadata() or {})["metadata"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        names = sorted({key.rpartition(".")[0] for key in tensors})
        kinds = metadata.pop(_KINDS_KEY, {})
        heads = {name: _head(name, kinds.get(name, LinearHead.kind), tensors) for name in names}
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} must be a file of heads, got: {error}") from error
    return heads, metadata


def _head(
    name: str, kind: str, tensors: Mapping[str, np.ndarray[Any, Any]]
) -> LinearHead | ResidualHead:
    if kind not in _KINDS:
        raise ValueError(
            f"the head of {name} is of kind {kind!r}, this program knows {', '.join(_KINDS)}; "
            "read it with the program that wrote it, or fit the heads again"
        )
    cls = _KINDS[kind]
    given = {part: tensors[f"{name}.{part}"] for part in cls.parts if f"{name}.{part}" in tensors}
    return cls(**given)
