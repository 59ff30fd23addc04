"""Nearest among the objects of which something is known."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from indexer.index_file import Index
from indexer.neighbours import SPARE
from indexer.row_sets import RowSet
from indexer.vectors import exact_scan, rerank

__all__ = [
    "LabelledNeighbours",
    "Place",
    "labelled_neighbours",
    "labelled_rows",
    "source_numbers",
]

EXACT_UP_TO = 50_000
"""Labelled vectors of a segment up to which every one is compared."""

Place = tuple[str, int]
"""A release and a row."""

LabelledNeighbours = list[tuple[float, Place]]
"""Score and place, best first, ties by release and row."""

_RELEASE_BITS = 40
"""Rows of a release lie below 2^40."""


def labelled_rows(
    index: Index, modality: str, known: Mapping[str, np.ndarray[Any, Any]]
) -> dict[str, Int64[np.ndarray, " n"]]:
    """Return, per release, the rows of which something is known and with a vector of a modality.

    The vector must lie in the space of the modality, as those of `labelled_neighbours` do.

    Parameters
    ----------
    known
        Per release True where something is known, one value a row.
    """
    rows = {}
    for release, mask in known.items():
        having = index.segment(release).rows_in(modality, modality)
        chosen = having[mask[having]]
        if len(chosen):
            rows[release] = chosen
    return rows


def source_numbers(
    index: Index, release: str, rows: Int64[np.ndarray, " n"]
) -> Int64[np.ndarray, " n"]:
    """Return a number for each row that linked objects of other releases have, too.

    It is that of the linked object in the first release, in the order of names.
    """
    names = sorted(index.releases)
    numbers = np.full(len(rows), -1, dtype=np.int64)
    for place, name in enumerate(names):
        there = rows if name == release else index.links.partners(release, rows, name)
        new = (numbers < 0) & (there >= 0)
        numbers[new] = (place << _RELEASE_BITS) + there[new]
    return numbers


def labelled_neighbours(
    index: Index,
    vectors: Float32[np.ndarray, "q dim"],
    k: int,
    *,
    modality: str,
    rows: Mapping[str, Int64[np.ndarray, " n"]],
    leave_out: Sequence[Collection[Place]],
) -> list[LabelledNeighbours]:
    """Find the nearest sources among some objects, in the space of one modality.

    Several objects of one source count once, by the nearest of them.

    Parameters
    ----------
    vectors
        Unit vectors of that space.
    k
        How many at most.
    rows
        Where to look, from `labelled_rows`.
    leave_out
        For each vector the places that do not count.
    """
    found: list[LabelledNeighbours] = [[] for _ in vectors]
    numbers: dict[Place, int] = {}
    spare = max((len(each) for each in leave_out), default=0)
    for release, allowed in rows.items():
        scores, best, counts = _of_segment(index, release, modality, vectors, k + spare, allowed)
        several = np.unique(best[best >= 0])
        for row, source in zip(several, source_numbers(index, release, several), strict=True):
            numbers[release, int(row)] = int(source)
        for number, count in enumerate(counts.tolist()):
            found[number] += [
                (float(score), (release, int(row)))
                for score, row in zip(scores[number, :count], best[number, :count], strict=True)
                if (release, int(row)) not in leave_out[number]
            ]
    return [_of_different_sources(each, numbers)[:k] for each in found]


def _of_different_sources(
    found: LabelledNeighbours, numbers: Mapping[Place, int]
) -> LabelledNeighbours:
    kept, seen = [], set()
    for score, place in sorted(found, key=lambda one: (-one[0], one[1])):
        if numbers[place] not in seen:
            seen.add(numbers[place])
            kept.append((score, place))
    return kept


def _of_segment(
    index: Index,
    release: str,
    modality: str,
    vectors: np.ndarray[Any, Any],
    k: int,
    allowed: np.ndarray[Any, Any],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    segment = index.segment(release)
    rows, stored = segment.vectors(modality, modality)
    if len(allowed) <= EXACT_UP_TO:
        places = np.searchsorted(rows, allowed)
        return exact_scan(stored, vectors, k, rows=rows, positions=places)
    ann = segment.ann(modality, modality)
    bits = RowSet.of(allowed, len(segment)).bits
    _, candidates, counts = ann.search(vectors, ann.recipe.candidates(k) + SPARE, allowed=bits)
    return rerank(stored, vectors, candidates, counts, k, rows=rows)
