"""Which parts of the sky serve for what, and which objects are one source.

A source is never divided: what is fitted on one part of the sky may be judged on another.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from indexer.index_file import Index
from indexer.pairs import Split, split_cells
from indexer.spaces import SHARED

__all__ = ["TEST", "TRAINING", "VALIDATION", "sources_in", "sources_of", "split_of"]

TRAINING, VALIDATION, TEST = 0, 1, 2
"""Parts, as `Split.parts` numbers them."""


def split_of(index: Index) -> Split:
    """Return the cells by which the heads of an index were fitted, else those fit for its sky."""
    facts = index.heads_facts.get("split", {}) if SHARED in index.info.spaces else {}
    if "healpix_order" in facts:
        return Split(int(facts["healpix_order"]))
    cells = [np.asarray(index.segment(name).column("healpix_29")) for name in index.releases]
    every = np.concatenate(cells)
    return split_cells(every[every >= 0])


def sources_in(index: Index, part: int) -> Mapping[str, Bool[np.ndarray, " n"]]:
    """Return, per release, True for the rows whose whole source lies in one part of the sky.

    A source across a border, or with an object without a position, is in none.
    """
    sources, split = sources_of(index), split_of(index)
    cells = {
        name: np.asarray(index.segment(name).column("healpix_29"), np.int64)
        for name in index.releases
    }
    inside = {name: (of >= 0) & (split.parts(of) == part) for name, of in cells.items()}
    elsewhere = np.concatenate([sources[name][~inside[name]] for name in index.releases])
    return {name: inside[name] & ~np.isin(sources[name], elsewhere) for name in index.releases}


@lru_cache(maxsize=2)
def sources_of(index: Index) -> Mapping[str, Int64[np.ndarray, " n"]]:
    """Number the sources of an index: linked objects, directly or through others, are one.

    Returns
    -------
    Per release the number of the source of every row.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    sizes = [len(index.segment(name)) for name in index.releases]
    starts = dict(zip(index.releases, np.cumsum([0, *sizes]).tolist(), strict=False))
    ends: list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = [
        (starts[a] + np.asarray(links.row_a), starts[b] + np.asarray(links.row_b))
        for (a, b), links in index.links.pairs.items()
    ]
    nothing = np.empty(0, np.int64)
    left = np.concatenate([nothing, *(a for a, _ in ends)])
    right = np.concatenate([nothing, *(b for _, b in ends)])
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), (sum(sizes),) * 2)
    _, component = connected_components(graph, directed=False)
    return {
        name: component[starts[name] : starts[name] + size].astype(np.int64)
        for name, size in zip(index.releases, sizes, strict=True)
    }
