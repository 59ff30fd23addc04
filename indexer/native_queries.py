"""Spectra asked in the space of the universal spectral tokenizer, or in that of AION-1."""

import dataclasses

from indexer.errors import QueryError, SearchError
from indexer.index_file import Index
from indexer.index_model import NATIVE
from indexer.neighbours import vector_of
from indexer.queries import Query

__all__ = ["SPECTRUM_SPACES", "in_space", "lacks_native", "model_of"]

SPECTRUM_SPACES = ("spectrum", NATIVE)
"""Where a spectrum can be compared with others of its kind."""


def lacks_native() -> str:
    """Say what an index without the space lacks, and what to do."""
    return (
        f"this index has no space {NATIVE!r}, in which spectra on any grid are compared: build it "
        "again with `--native-weights spectra-demo`"
    )


def in_space(index: Index, query: Query, space: str) -> Query:
    """Return a query whose spectrum is compared in a space.

    Parameters
    ----------
    index
        The open index.
    query
        An object, a file or several examples, with a spectrum.
    space
        One of `SPECTRUM_SPACES`.

    Raises
    ------
    QueryError
        If there is no such space for spectra, or the query has no spectrum.
    SearchError
        If the index lacks the space, or the query has no vector of it.
    """
    if space not in SPECTRUM_SPACES:
        raise QueryError(f"a spectrum is asked in {' or '.join(SPECTRUM_SPACES)}, got {space!r}")
    if "spectrum" not in query.modalities:
        raise QueryError(
            f"{query.text} has no spectrum, only {' and '.join(query.modalities)}: it cannot be "
            f"asked in {space!r}"
        )
    native = space == NATIVE
    if native and index.native_encoder is None:
        raise SearchError(lacks_native())
    if _lacks_vector(index, query, space):
        raise SearchError(
            f"{query.text} has no vector in {space!r}"
            + (f": it is {query.answered}" if query.answered else "")
        )
    return dataclasses.replace(
        query,
        modality="spectrum",
        space=NATIVE if native else "",
        answered=f"answered in {space!r} by {model_of(index, space)}, as you asked",
    )


def _lacks_vector(index: Index, query: Query, space: str) -> bool:
    if query.examples is not None:
        return False  # each of them is asked when their vectors are joined
    if query.brought:
        return (query.native_vector if space == NATIVE else query.raw_vector) is None
    segment = index.segment(str(query.release))
    return vector_of(segment, space, "spectrum", int(query.row or 0)) is None


def model_of(index: Index, space: str) -> str:
    """Return the name of the model whose vectors a space of spectra holds."""
    if space == NATIVE:
        assert index.native_encoder is not None
        return f"the universal spectral tokenizer {index.native_encoder.repository}"
    return f"AION-1 ({index.info.encoder.repository})"
