"""Which indexed objects are an uploaded file itself, and which lie where it was taken."""

from typing import Any

import numpy as np
from jaxtyping import Float32

from indexer.index_file import Index
from indexer.links import LINK_RADIUS_ARCSEC
from indexer.neighbours import Neighbour, nearest, vector_of
from indexer.queries import Query
from indexer.resolve import around

__all__ = ["IDENTICAL_COSINE", "Places", "here", "identical"]

IDENTICAL_COSINE = 0.99999
"""Cosine from which an indexed vector and an uploaded one are the same observation. Rounding to
float16 turns a vector by less than 1e-3, which moves a cosine by less than 1e-6."""

ROUNDED_LENGTH = 1e-3
"""More than rounding to float16 changes the length of a unit vector."""

IDENTICAL_AT_MOST = 64

Places = frozenset[tuple[str, int]]
"""Objects of the index: release and row."""


def identical(index: Index, query: Query, vector: Float32[np.ndarray, " dim"]) -> Places:
    """Return the indexed objects that are the very observation of an uploaded file.

    Parameters
    ----------
    vector
        Its unit vector in the space where it is compared with its own kind.
    """
    close = nearest(
        index,
        vector,
        IDENTICAL_AT_MOST,
        space=query.home,
        modality=query.modality,
        releases=list(index.releases),
    )
    return frozenset(
        (each.release, each.row)
        for each in close
        if _is_equal(index, vector, query.home, each)
        and _agrees(index, query, each.release, each.row)
    )


def _is_equal(index: Index, vector: np.ndarray[Any, Any], space: str, other: Neighbour) -> bool:
    if other.score < IDENTICAL_COSINE - ROUNDED_LENGTH:
        return False
    segment = index.segment(other.release)
    stored = vector_of(segment, space, other.modality, other.row)
    return stored is not None and float(vector @ stored) >= IDENTICAL_COSINE


def _agrees(index: Index, query: Query, release: str, row: int) -> bool:
    """Say whether identifier or position, where both are known, name the same thing."""
    segment = index.segment(release)
    agreements = []
    if query.object_id:
        agreements.append(query.object_id == segment.object_id(row))
    if query.has_position and np.isfinite(segment.column("ra_deg")[row]):
        agreements.append((release, row) in here(index, query))
    return any(agreements) if agreements else True


def here(index: Index, query: Query) -> Places:
    """Return the objects within the radius of a link around the query."""
    if not query.has_position:
        return frozenset()
    near = around(index, query.ra_deg, query.dec_deg, LINK_RADIUS_ARCSEC)
    return frozenset((segment.name, row) for _, _, segment, row in near)
