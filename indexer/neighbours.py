"""Nearest objects of an index to one vector, over all releases, exact and in a defined order."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32

from indexer.index_file import Index, Segment
from indexer.spaces import to_unit
from indexer.vectors import pair_scores

__all__ = ["Neighbour", "key_of", "nearest", "vector_of"]

SPARE = 8
"""Fetched beyond what is wanted: the order of the stored scores can differ in the last digit."""

GROWTH = 4

ROUNDING = 1e-5
"""More than stored and exact scores of one pair can differ without approximation."""


@dataclass(frozen=True, order=False)
class Neighbour:
    """One object and its score; `modality` says which of its vectors was compared."""

    score: float
    key: str
    release: str
    row: int
    modality: str


def key_of(segment: Segment, row: int) -> str:
    """Return the key of a row, ``release:object_id``."""
    return f"{segment.name}:{segment.object_id(row)}"


def vector_of(
    segment: Segment, space: str, modality: str, row: int
) -> Float32[np.ndarray, " dim"] | None:
    """Return the vector of a row, of unit length again; None if it has none of that modality."""
    if modality not in segment.info.spaces.get(space, ()):
        return None
    rows, vectors = segment.vectors(space, modality)
    at = int(np.searchsorted(rows, row))
    if at >= len(rows) or rows[at] != row:
        return None
    return np.asarray(to_unit(np.asarray(vectors[at : at + 1], dtype=np.float64))[0])


def nearest(
    index: Index,
    vector: Float32[np.ndarray, " dim"],
    wanted: int,
    *,
    space: str,
    modality: str,
    releases: Sequence[str],
    skip: Collection[tuple[str, int]] = (),
) -> list[Neighbour]:
    """Find the nearest objects.

    Parameters
    ----------
    vector
        Unit vector of that space.
    wanted
        How many at most; fewer come only if there are no more.
    space, modality
        Which vectors are compared.
    releases
        Where to look; releases without such vectors are passed over.
    skip
        Release and row of objects that do not count.

    Returns
    -------
    list
        Best first, ties by key.
    """
    hidden = Counter(name for name, _ in skip)

    def of(segment: Segment) -> list[Neighbour]:
        if modality not in segment.info.spaces.get(space, ()):
            return []
        return _of_segment(segment, vector, wanted + hidden[segment.name], space, modality)

    found = [each for part in index.each(releases, of) for each in part]
    kept = [each for each in found if (each.release, each.row) not in skip]
    kept.sort(key=lambda each: (-each.score, each.key))
    return kept[:wanted]


def _of_segment(
    segment: Segment,
    vector: np.ndarray[Any, Any],
    wanted: int,
    space: str,
    modality: str,
) -> list[Neighbour]:
    """Return at least the `wanted` best of a segment, and all that tie with the last of them."""
    ann = segment.ann(space, modality)
    rows, vectors = segment.vectors(space, modality)
    approximate = ann.recipe.name != "flat"
    wanted = min(wanted, ann.count)
    fetch = ann.recipe.candidates(wanted) + SPARE
    nprobe = ann.default_nprobe if approximate else None
    while True:
        stored, candidates, counts = ann.search(vector[None, :], fetch, nprobe=nprobe)
        count = int(counts[0])
        chosen = candidates[0, :count]
        # Rounding to float16 leaves lengths a little off 1; no cosine is more than 1.
        scores = np.minimum(pair_scores(vectors[np.searchsorted(rows, chosen)], vector), 1.0)
        order = np.argsort(-scores, kind="stable")
        if nprobe is not None:
            # The lists visited may hold too few.
            if count >= wanted:
                break
            nprobe = min(ann.recipe.lists, GROWTH * nprobe)
        elif count >= ann.count or stored[0, -1] < scores[order[wanted - 1]] - ROUNDING:
            # What was not fetched scores at most the last stored score; a tie may lie beyond it.
            break
        else:
            fetch *= GROWTH
    if len(order) > wanted:
        last = scores[order[wanted - 1]]
        order = order[scores[order] >= last]
    return [
        Neighbour(
            float(scores[at]),
            key_of(segment, int(chosen[at])),
            segment.name,
            int(chosen[at]),
            modality,
        )
        for at in order
    ]
