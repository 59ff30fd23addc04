"""A segment of the next index while it is made."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from aion_encoder.observations import MODALITIES
from indexer.assemble import Assembled
from indexer.index_model import ReleaseInfo
from indexer.spaces import Space
from indexer.staged_vectors import StagedVectors

__all__ = ["Draft", "through"]


@dataclass
class Draft:
    """A segment of the next index while it is made.

    Attributes
    ----------
    name
        The release.
    unit
        Its folder, relative to the next index.
    kept
        What is published of it, if it stays as it is; else None.
    assembled
        Its objects, if it is new; else None.
    spaces
        Modalities that have vectors, per space.
    coded
        Whether 8 bits a dimension of its vectors are kept in place of float16.
    """

    name: str
    unit: str
    kept: ReleaseInfo | None
    assembled: Assembled | None
    spaces: dict[str, tuple[str, ...]]
    coded: bool = False

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities of which it has vectors in the space of the modality."""
        if self.assembled is not None:
            return tuple(self.assembled.raw)
        assert self.kept is not None
        return tuple(name for name in MODALITIES if name in self.kept.spaces)


def through(space: Space, raw: StagedVectors) -> Callable[[slice], Float32[np.ndarray, "n dim"]]:
    """Return what gives a slice of raw vectors as vectors of a space."""
    return lambda chosen: space.apply(raw.take(chosen))
