"""Hits at one place of the sky -> one: the best of them, which names the others."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from indexer.bridges import Found
from indexer.index_file import Index
from indexer.links import unit_sphere

__all__ = ["FOLD_RADIUS_ARCSEC", "folded"]

FOLD_RADIUS_ARCSEC = 2.0
"""Wider than a link: a survey's own second look at a source, and the parts into which one catalogue
divides what is one object of another."""

_SPARE = 8
_ARCSEC = np.pi / 180.0 / 3600.0


def folded(index: Index, find: Callable[[int], Sequence[Found]], k: int) -> list[Found]:
    """Return the best hit of each of the k best sources.

    Hits within `FOLD_RADIUS_ARCSEC` of a better one are folded into it; those without a position
    stay for themselves. Folded are all that come before the next source would: how many hits were
    fetched makes no difference.

    Parameters
    ----------
    find
        Returns that many hits, the best first; fewer only if there are no more.
    """
    fetch = k + k // 4 + _SPARE
    while True:
        ranked = find(fetch)
        kept, all_seen = _sources(index, ranked, k)
        if all_seen or len(ranked) < fetch:
            return kept
        fetch *= 2


def _sources(index: Index, ranked: Sequence[Found], k: int) -> tuple[list[Found], bool]:
    """Fold; say whether one source more came, so that nothing further belongs to these."""
    better = _better_here(index, ranked)
    others: dict[int, list[str]] = {}
    all_seen = False
    for number, found in enumerate(ranked):
        into = next((other for other in better.get(number, ()) if other in others), None)
        if into is not None:
            others[into].append(found.key)
        elif len(others) == k:
            all_seen = True
            break
        else:
            others[number] = []
    kept = [replace(ranked[number], folded=tuple(keys)) for number, keys in others.items()]
    return kept, all_seen


def _better_here(index: Index, ranked: Sequence[Found]) -> dict[int, list[int]]:
    """Return, for each hit, the better ones at its place, the best first."""
    # Imported here: it takes longer than opening an index, and only this needs a tree.
    from scipy.spatial import cKDTree

    ra_deg, dec_deg = (
        np.array([index.segment(each.release).column(name)[each.row] for each in ranked], "f8")
        for name in ("ra_deg", "dec_deg")
    )
    placed = np.flatnonzero(np.isfinite(ra_deg) & np.isfinite(dec_deg))
    better: dict[int, list[int]] = {}
    if len(placed):
        tree = cKDTree(unit_sphere(ra_deg[placed], dec_deg[placed]))
        chord = 2.0 * np.sin(0.5 * FOLD_RADIUS_ARCSEC * _ARCSEC) * (1.0 + 1e-9)
        pairs = np.sort(placed[tree.query_pairs(chord, output_type="ndarray")], axis=1)
        for one, other in pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))].tolist():
            better.setdefault(other, []).append(one)
    return better
