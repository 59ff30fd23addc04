"""Nearest objects of an index to many vectors at once: what `neighbours.nearest` finds for each.

What is found for a block of queries lies in one structured array, `HIT` for each, by query and
best first. Small segments are compared by a matrix product, which orders roughly, larger ones are
asked block by block; the scores that count are computed pair by pair in either case, so that no
answer depends on what else is asked along with it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from indexer.index_file import Index, Segment
from indexer.neighbours import GROWTH, SPARE, key_of
from indexer.vectors import exact_scan, rerank

__all__ = ["HIT", "best_first", "hits_of", "nearest_of_block", "place_numbers"]

HIT = np.dtype(
    [
        ("query", "<i8"),
        ("release", "<i4"),
        ("row", "<i8"),
        ("score", "<f4"),
        ("via_release", "<i4"),
        ("via_row", "<i8"),
    ]
)
"""`query` is its number in the block, `release` a place in `Index.releases`. `via_release` and
`via_row` are the neighbour through which a linked hit was reached, or the query itself; else -1."""

Hitlist = Shaped[np.ndarray, " n"]

_ALIKE = 16
"""Queries in one call of inverted lists. From 20 on FAISS finds their lists by a matrix product,
which rounds differently."""

_RELEASE_BITS, _ROW_BITS = 12, 36


def hits_of(
    query: Int64[np.ndarray, " n"],
    release: Any,
    row: Int64[np.ndarray, " n"],
    score: Any,
    via_release: Any = -1,
    via_row: Any = -1,
) -> Hitlist:
    """Return hits; each value is one for all of them, or one for each."""
    hits = np.empty(len(query), HIT)
    values = (query, release, row, score, via_release, via_row)
    for name, value in zip(HIT.names or (), values, strict=True):
        hits[name] = value
    return hits


def place_numbers(hits: Hitlist) -> Int64[np.ndarray, " n"]:
    """Return one number for the query, release and row of each hit, to compare them by."""
    release = hits["release"].astype(np.int64)
    return np.asarray(((hits["query"] << _RELEASE_BITS | release) << _ROW_BITS) | hits["row"])


def nearest_of_block(
    index: Index,
    vectors: Float32[np.ndarray, "q dim"],
    wanted: int,
    *,
    space: str,
    modality: str,
    releases: Sequence[str],
    skip: Hitlist,
) -> Hitlist:
    """Find the nearest objects of each of some vectors.

    Parameters
    ----------
    vectors
        Unit vectors of that space.
    wanted
        How many at most for each.
    space, modality, releases
        Which vectors are compared, and where.
    skip
        Objects that do not count for a query.

    Returns
    -------
    By query, best first, ties by key.
    """
    parts = [np.empty(0, HIT)]
    for code, release in enumerate(index.releases):
        segment = index.segment(release)
        if release not in releases or not segment.can_search(space, modality):
            continue
        hidden = np.bincount(skip["query"][skip["release"] == code], minlength=len(vectors))
        for count in np.unique(hidden).tolist():
            some = np.flatnonzero(hidden == count)
            for query, row, score in _of_segment(
                segment, vectors[some], wanted + count, space, modality
            ):
                parts.append(hits_of(some[query], code, row, score))
    found = np.concatenate(parts)
    found = found[~np.isin(place_numbers(found), place_numbers(skip))]
    return best_first(index, found, wanted)


def best_first(index: Index, hits: Hitlist, wanted: int, first: Any = False) -> Hitlist:
    """Return the best hits of each query: by query, best first, ties by key.

    Parameters
    ----------
    wanted
        How many at most for each query.
    first
        Which hits go before others of their score.
    """
    later = ~np.broadcast_to(first, len(hits))
    order = np.lexsort((hits["row"], hits["release"], later, -hits["score"], hits["query"]))
    same = np.ones(max(0, len(order) - 1), dtype=bool)
    for values in (hits["query"], hits["score"], later):
        same &= values[order][1:] == values[order][:-1]
    # Keys are text: they are only looked up where they decide.
    starts = np.flatnonzero(same & ~np.append(False, same[:-1]))
    stops = np.flatnonzero(same & ~np.append(same[1:], False)) + 2
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        order[start:stop] = sorted(order[start:stop], key=lambda at: _key(index, hits[at]))
    ranked = hits[order]
    place = np.arange(len(ranked)) - np.searchsorted(ranked["query"], ranked["query"])
    return ranked[place < wanted]


def _key(index: Index, hit: Any) -> str:
    return key_of(index.segment(index.releases[hit["release"]]), int(hit["row"]))


def _of_segment(
    segment: Segment,
    vectors: Float32[np.ndarray, "q dim"],
    wanted: int,
    space: str,
    modality: str,
) -> Iterator[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Give query, row and score of at least the `wanted` best, and all that tie with the last."""
    ann = segment.ann(space, modality)
    rows, stored = segment.stored(space, modality)
    wanted = min(wanted, ann.count)
    exact = ann.recipe.name == "flat"
    fetch = (wanted if exact else ann.recipe.candidates(wanted)) + SPARE
    nprobe = ann.default_nprobe
    pending = np.arange(len(vectors))
    while len(pending) and wanted:
        asked = vectors[pending]
        if exact:
            scores, found, counts = exact_scan(stored, asked, fetch, rows=rows)
        else:
            some = [
                ann.search(asked[at : at + _ALIKE], fetch, nprobe=nprobe)
                for at in range(0, len(asked), _ALIKE)
            ]
            candidates, counts = (np.concatenate([each[part] for each in some]) for part in (1, 2))
            width = candidates.shape[1]
            scores, found, counts = rerank(stored, asked, candidates, counts, width, rows=rows)
        # Rounding to float16 leaves lengths a little off 1; no cosine is more than 1.
        scores = np.minimum(scores, np.float32(1.0))
        last = scores[:, min(wanted, scores.shape[1]) - 1]
        if exact:
            # A tie with the last may lie beyond what was fetched.
            whole = (counts >= ann.count) | (scores[:, -1] < last)
            fetch *= GROWTH
        else:
            # The lists visited may hold too few.
            whole = (counts >= wanted) | (nprobe == ann.recipe.lists)
            nprobe = min(ann.recipe.lists, GROWTH * nprobe)
        least = np.where(counts >= wanted, last, -np.inf)
        there = np.arange(scores.shape[1])[None, :] < counts[:, None]
        query, column = np.nonzero(there & (scores >= least[:, None]) & whole[:, None])
        yield pending[query], found[query, column], scores[query, column]
        pending = pending[~whole]
