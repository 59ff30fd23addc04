"""A vector that a person brought -> a query, if the encoder of its space made it."""

import numpy as np
from numpy.typing import ArrayLike

from aion_encoder.identity import Identity, is_of, named
from indexer.errors import QueryError, SearchError
from indexer.index_file import Index
from indexer.index_model import MODALITY_BITS
from indexer.queries import Query

__all__ = ["vector_query"]


def vector_query(
    index: Index, vector: ArrayLike, modality: str, identity: Identity | None = None
) -> Query:
    """Return a query of a raw vector.

    Parameters
    ----------
    index
        The open index.
    vector
        As its encoder gave it, shape (dim,): neither centred nor of unit length, unless that
        encoder does so.
    modality
        What it is a vector of.
    identity
        Of its encoder. None: whoever asks says that it is that of the index, and the receipt says
        so.

    Raises
    ------
    QueryError
        If there is no such modality, or the vector has another length than those of the index,
        numbers that are not finite, or no direction.
    SearchError
        If the index has no vectors of the modality, or they are of another encoder; both
        identities are stated.
    """
    if modality not in MODALITY_BITS:
        raise QueryError(f"a modality is one of {', '.join(MODALITY_BITS)}, got {modality!r}")
    if modality not in index.info.spaces:
        there = ", ".join(name for name in MODALITY_BITS if name in index.info.spaces)
        raise SearchError(f"this index has no {modality} vectors, only {there or 'others'}")
    wanted = index.encoder_of(modality)
    if identity is not None and not is_of(wanted, identity):
        raise SearchError(
            f"a vector must be of the encoder of the {modality} vectors of this index, "
            f"{named(wanted)}, but this one is of {named(identity)}"
        )
    with np.errstate(over="ignore"):
        raw = np.asarray(vector, np.float32)
    dim = index.space(modality).description.input_dim
    if raw.shape != (dim,):
        raise QueryError(f"a {modality} vector must have the shape ({dim},), got {raw.shape}")
    if not np.isfinite(raw).all():
        raise QueryError("a vector must be finite in single precision, got NaN or infinity")
    if not raw.any():
        raise QueryError("a vector must have a direction, got nothing but zeros")
    said = "as declared" if identity is not None else "as whoever asks says"
    return Query(
        kind="vector",
        text=f"{modality} vector",
        modality=modality,
        raw_vector=raw,
        assumptions={"encoder": f"{named(wanted)}, {said}"},
    )
