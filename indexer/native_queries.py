"""Spectra asked in the space of the universal spectral tokenizer, or in that of AION-1."""

import dataclasses

from indexer.errors import QueryError, SearchError
from indexer.index_file import Index
from indexer.index_model import NATIVE
from indexer.neighbours import vector_of
from indexer.queries import Query

__all__ = ["SPECTRUM_SPACES", "in_space", "lacks_native", "model_of", "spaces_of"]

SPECTRUM_SPACES = ("spectrum", NATIVE)
"""Where a spectrum can be compared with others of its kind."""


def lacks_native() -> str:
    """Say what an index without the space lacks, and what to do."""
    return (
        f"this index has no space {NATIVE!r}, in which spectra on any grid are compared: build it "
        "again with `--native-weights spectra-demo`"
    )


def spaces_of(index: Index, query: Query) -> tuple[str, ...]:
    """Return the spaces in which a query's spectrum can be compared, a part of `SPECTRUM_SPACES`.

    There are none for a query without a spectrum. Several examples need a vector each.
    """
    if query.examples is not None:
        each_has = [spaces_of(index, each) for each in query.examples.all]
        return tuple(name for name in SPECTRUM_SPACES if all(name in has for has in each_has))
    if "spectrum" not in query.modalities:
        return ()
    if query.brought:
        vectors = {"spectrum": query.raw_vector, NATIVE: query.native_vector}
        return tuple(name for name in SPECTRUM_SPACES if vectors[name] is not None)
    segment, row = index.segment(str(query.release)), int(query.row or 0)
    stored = [vector_of(segment, name, "spectrum", row) for name in SPECTRUM_SPACES]
    return tuple(
        name for name, vector in zip(SPECTRUM_SPACES, stored, strict=True) if vector is not None
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
    there = spaces_of(index, query)
    if space not in there:
        instead = f"ask it in {' or '.join(map(repr, there))}" if there else "no space has it"
        why = f"it is {query.answered}" if query.answered else instead
        raise SearchError(f"{query.text} has no vector in {space!r}: {why}")
    return dataclasses.replace(
        query,
        modality="spectrum",
        space=NATIVE if native else "",
        answered=f"answered in {space!r} by {model_of(index, space)}, as you asked",
    )


def model_of(index: Index, space: str) -> str:
    """Return the name of the model whose vectors a space of spectra holds."""
    if space == NATIVE:
        assert index.native_encoder is not None
        return f"the universal spectral tokenizer {index.native_encoder.repository}"
    return f"AION-1 ({index.info.encoder.repository})"
