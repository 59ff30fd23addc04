"""Spaces: what makes the vectors of one modality comparable.

A space subtracts a mean, may project, and scales to unit length; the very same transform is
applied when an index is built and when it is asked. The projection is that of
`aion_encoder.whitening`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32
from pydantic import BaseModel, ConfigDict, Field
from safetensors.numpy import load_file, save_file

from aion_encoder.whitening import SHRINKAGE, whitening
from indexer.durable import replacing, write_json
from indexer.errors import IndexFormatError, SearchError
from indexer.layout import space_file, space_transform_file

__all__ = [
    "SHARED",
    "Space",
    "SpaceDescription",
    "fit_space",
    "read_space",
    "to_unit",
    "write_space",
]

SHARED = "shared"
"""Name of the space in which modalities are aligned by heads."""

WHITEN_FROM_PER_DIM = 20
"""Vectors per dimension from which a covariance is estimated on the index itself."""

CENTRE_FROM = 50
"""Vectors from which a mean is estimated on the index itself."""

FIT_AT_MOST = 200_000
"""About how many vectors a transform is fitted on; more are passed over, evenly."""

_SMALLEST_NORM = 1e-12


class SpaceDescription(BaseModel):
    """`space.json`: what was done to the vectors of a space, and with what.

    Attributes
    ----------
    name, modality
        Of the space; both the same except for ``shared``, which has no modality, and
        ``spectrum_native``, whose modality is ``spectrum``.
    encoder
        Digest of the identity of the encoder.
    method
        ``whitened``: centred and whitened with statistics of this index; ``reference``: the same
        with statistics that came with the encoder; ``centred``: centred with the mean of this
        index; ``none``: only scaled to unit length; ``heads``: projected by heads.
    fitted_on
        Vectors that the transform was fitted on; 0 where none was fitted.
    shrinkage
        The a of the formula; 0 without whitening.
    input_dim, dim
        Length of raw vectors and of vectors in this space.
    formula
        What is computed, in words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    modality: str
    encoder: str
    method: Literal["whitened", "reference", "centred", "none", "heads"]
    fitted_on: int = Field(ge=0)
    shrinkage: float = 0.0
    input_dim: int = Field(gt=0)
    dim: int = Field(gt=0)
    formula: str


_FORMULAS = {
    "whitened": "unit((x - mean) @ projection), projection = ((1-a) S + a tr(S)/d I)^(-1/2)",
    "reference": "unit((x - mean) @ projection), both as they came with the encoder",
    "centred": "unit(x - mean)",
    "none": "unit(x)",
    "heads": "unit(head(y)), y the vector in the space of its modality",
}


@dataclass(frozen=True, eq=False)
class Space:
    """The transform of one modality.

    Attributes
    ----------
    description
        What it does, in words and numbers.
    mean
        Subtracted from a raw vector.
    projection
        Multiplied from the right; None to leave the centred vector as it is.
    """

    description: SpaceDescription
    mean: Float32[np.ndarray, " dim"]
    projection: Float32[np.ndarray, "dim out"] | None = None

    @property
    def name(self) -> str:
        """Name of the space."""
        return self.description.name

    @property
    def modality(self) -> str:
        """Modality whose raw vectors it takes."""
        return self.description.modality

    @property
    def identity(self) -> str:
        """Digest of the encoder whose raw vectors it takes."""
        return self.description.encoder

    @property
    def dim(self) -> int:
        """Length of the vectors it gives."""
        return self.description.dim

    def apply(self, raw: Float32[np.ndarray, "n dim"]) -> Float32[np.ndarray, "n out"]:
        """Return unit vectors of this space for raw vectors of the encoder.

        Raises
        ------
        SearchError
            If the vectors have another dimension, or are not finite.
        """
        if raw.ndim != 2 or raw.shape[1] != self.description.input_dim:
            raise SearchError(
                f"space {self.name!r} takes vectors of {self.description.input_dim} dimensions, "
                f"got the shape {raw.shape}"
            )
        if not np.isfinite(raw).all():
            raise SearchError(
                f"vectors for space {self.name!r} must be finite, got NaN or infinity"
            )
        moved = raw.astype(np.float64) - self.mean
        if self.projection is not None:
            moved = moved @ self.projection.astype(np.float64)
        return to_unit(moved)


def to_unit(vectors: np.ndarray[Any, Any]) -> Float32[np.ndarray, "n dim"]:
    """Scale vectors to unit length; one without any length becomes the first axis."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: np.ndarray[Any, Any] = vectors / np.maximum(norms, _SMALLEST_NORM)
    unit[norms[:, 0] < _SMALLEST_NORM] = np.eye(1, vectors.shape[1])[0]
    return unit.astype(np.float32)


def fit_space(
    modality: str,
    sample: Float32[np.ndarray, "m dim"],
    *,
    count: int,
    keep: int,
    encoder: str,
    name: str = "",
    comparable: bool = False,
    reference: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None = None,
) -> Space:
    """Choose and fit the transform of a modality.

    Nothing but unit length where raw vectors are comparable as they are. Otherwise whitening with
    the statistics of these vectors when there are 20 for each dimension; else the encoder's own
    statistics when it brings any; else centring when there are 50; else nothing.

    Parameters
    ----------
    sample
        Raw vectors of the index, evenly picked in a fixed order, `FIT_AT_MOST` or so.
    count
        How many vectors the index has.
    keep
        Dimensions of the space at most, where it is whitened here.
    encoder
        Digest of the identity of the encoder.
    name
        Of the space, where it is not that of its modality.
    comparable
        Whether its raw vectors compare by cosine as they are.
    reference
        Mean, shape (dim,), and projection, shape (dim, out), that came with the encoder.
    """
    dim = sample.shape[1]
    sample = sample.astype(np.float64)
    projection: np.ndarray[Any, Any] | None = None
    method: Literal["whitened", "reference", "centred", "none"]
    if comparable:
        method, fitted_on, mean = "none", 0, np.zeros(dim)
    elif count >= WHITEN_FROM_PER_DIM * dim:
        method, fitted_on = "whitened", len(sample)
        mean, projection = whitening(sample, keep)
    elif reference is not None:
        method, fitted_on = "reference", 0
        mean, projection = reference
    elif count >= CENTRE_FROM:
        method, fitted_on = "centred", len(sample)
        mean = sample.mean(axis=0)
    else:
        method, fitted_on = "none", 0
        mean = np.zeros(dim)
    description = SpaceDescription(
        name=name or modality,
        modality=modality,
        encoder=encoder,
        method=method,
        fitted_on=fitted_on,
        shrinkage=SHRINKAGE if method == "whitened" else 0.0,
        input_dim=dim,
        dim=dim if projection is None else projection.shape[1],
        formula=_FORMULAS[method],
    )
    return Space(
        description,
        np.asarray(mean, dtype=np.float32),
        None if projection is None else np.ascontiguousarray(projection, dtype=np.float32),
    )


def shared_description(encoder: str, *, input_dim: int, dim: int, pairs: int) -> SpaceDescription:
    """Describe the space ``shared``."""
    return SpaceDescription(
        name=SHARED,
        modality="",
        encoder=encoder,
        method="heads",
        fitted_on=pairs,
        input_dim=input_dim,
        dim=dim,
        formula=_FORMULAS["heads"],
    )


def write_space(root: Path, unit: str, space: Space) -> None:
    """Write the description and the numbers of a space below its folder."""
    write_json(root / space_file(unit), space.description.model_dump(mode="json"))
    arrays = {"mean": space.mean}
    if space.projection is not None:
        arrays["projection"] = space.projection
    with replacing(root / space_transform_file(unit)) as temporary:
        save_file(arrays, temporary)


def read_description(root: Path, unit: str) -> SpaceDescription:
    """Read `space.json`.

    Raises
    ------
    IndexFormatError
        If it is missing or says something else than this version understands.
    """
    path = root / space_file(unit)
    try:
        return SpaceDescription.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise IndexFormatError(f"{path} cannot be read ({error}); build the index again") from error


def read_space(root: Path, unit: str) -> Space:
    """Read what `write_space` wrote.

    Raises
    ------
    IndexFormatError
        If a file is missing, or the two do not fit each other.
    """
    description = read_description(root, unit)
    path = root / space_transform_file(unit)
    try:
        arrays: Mapping[str, Any] = load_file(path)
        mean, projection = arrays["mean"], arrays.get("projection")
    except (OSError, KeyError, ValueError) as error:
        raise IndexFormatError(f"{path} cannot be read ({error}); build the index again") from error
    width = len(mean) if projection is None else projection.shape[1]
    if (len(mean), width) != (description.input_dim, description.dim):
        raise IndexFormatError(
            f"{path} must turn {description.input_dim} dimensions into {description.dim}, "
            f"got {len(mean)} into {width}"
        )
    return Space(description, mean, projection)
