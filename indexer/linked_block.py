"""Linked neighbours of many objects at once: what `bridges.linked` finds for each."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from indexer.bridges import FIRST_BATCH_PER_HIT, GROWTH, partner_rows
from indexer.index_file import Index
from indexer.nearest_block import (
    HIT,
    Hitlist,
    best_first,
    hits_of,
    nearest_of_block,
    place_numbers,
)

__all__ = ["linked_of_block"]


def linked_of_block(
    index: Index,
    vectors: Float32[np.ndarray, "q dim"],
    wanted: int,
    *,
    own: str,
    space: str,
    to: str,
    releases: Sequence[str],
    selves: Hitlist,
    banned: Hitlist,
) -> Hitlist:
    """Find objects of another modality through neighbours in the queries' own.

    Parameters
    ----------
    vectors
        Unit vectors of objects of the index, in a space of their own modality.
    wanted
        How many hits at most for each.
    own, space, to, releases
        As `bridges.linked`.
    selves
        The objects that ask, one for each query.
    banned
        Objects that may be neither neighbour nor hit.

    Returns
    -------
    By query, best first, the query's own counterparts before others, ties by key.
    """
    own_releases = [name for name in index.releases if index.segment(name).info.vectors.get(own)]
    total = sum(index.segment(name).info.vectors[own] for name in own_releases)
    # The query's own counterparts have the score 1.
    direct = _counterparts(index, selves, to, releases)
    direct = direct[~np.isin(place_numbers(direct), place_numbers(np.append(selves, banned)))]
    done = [np.empty(0, HIT)]
    pending = np.arange(len(vectors))
    fetch = FIRST_BATCH_PER_HIT * wanted
    while len(pending):
        mine, hidden, hits = (_of(pending, each) for each in (selves, banned, direct))
        near = nearest_of_block(
            index,
            vectors[pending],
            fetch,
            space=space,
            modality=own,
            releases=own_releases,
            skip=np.append(mine, hidden),
        )
        reached = _counterparts(index, near, to, releases)
        known = place_numbers(np.append(hidden, hits))
        reached = reached[~np.isin(place_numbers(reached), known)]
        ranked = best_first(
            index,
            np.append(hits, reached),
            wanted,
            first=np.arange(len(hits) + len(reached)) < len(hits),
        )
        found, fetched = (np.bincount(of["query"], minlength=len(pending)) for of in (ranked, near))
        worst, farthest = np.full((2, len(pending)), np.inf)
        np.minimum.at(worst, ranked["query"], ranked["score"])
        np.minimum.at(farthest, near["query"], near["score"])
        # A neighbour that was not fetched could still tie with the last hit.
        enough = (found >= wanted) & ((fetched == 0) | (farthest < worst))
        whole = enough | (fetched < fetch) | (fetch >= total)
        kept = ranked[whole[ranked["query"]]]
        kept["query"] = pending[kept["query"]]
        done.append(kept)
        pending = pending[~whole]
        fetch *= GROWTH
    every = np.concatenate(done)
    return every[np.argsort(every["query"], kind="stable")]


def _of(pending: np.ndarray, hits: Hitlist) -> Hitlist:
    """Return the hits of some queries, ascending, numbered by their place among these."""
    some = hits[np.isin(hits["query"], pending)]
    some["query"] = np.searchsorted(pending, some["query"])
    return some


def _counterparts(index: Index, near: Hitlist, to: str, releases: Sequence[str]) -> Hitlist:
    """Return the counterparts of neighbours, each once for a query, through its best neighbour."""
    parts = [np.empty(0, HIT)]
    order = [np.empty(0, np.int64)]
    codes = {name: code for code, name in enumerate(index.releases)}
    for number, target in enumerate(releases):
        if not index.segment(target).info.vectors.get(to):
            continue
        for release in np.unique(near["release"]).tolist():
            at = np.flatnonzero(near["release"] == release)
            rows = partner_rows(index, index.releases[release], near["row"][at], target, to)
            at, rows = at[rows >= 0], rows[rows >= 0]
            of = near[at]
            parts.append(hits_of(of["query"], codes[target], rows, of["score"], release, of["row"]))
            order.append(at * len(releases) + number)
    found = np.concatenate(parts)[np.argsort(np.concatenate(order), kind="stable")]
    _, first = np.unique(place_numbers(found), return_index=True)
    return found[np.sort(first)]
