"""Suite D: does an image find the spectrum of its source, and the reverse?

Only sources of test cells take part, whose pairs had no say in fitting the heads. Identity (the
partner's rank) and physics (are the hits alike in redshift, mass and class?) stand side by side:
hits can be right physically while the partner is nowhere near.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64

from indexer.align import ALIGNED_MODALITIES
from indexer.evaluate.bench import Bench
from indexer.evaluate.equal_brightness import equal_brightness
from indexer.evaluate.imagined import IMAGINED, imagined
from indexer.evaluate.measures import (
    bootstrap,
    chance_of_partner,
    mutual_neighbours,
    rank_of_partner,
)
from indexer.evaluate.physics import agreement
from indexer.evaluate.pool import Pool, pool_of
from indexer.evaluate.records import Gallery, Mode, Recorder, SuiteResult
from indexer.evaluate.searches import Lists, index_lists, random_lists
from indexer.index_file import Index
from indexer.index_model import NATIVE, modality_of
from indexer.pairs import ReleasePairs, gather_pairs
from indexer.spaces import SHARED

__all__ = ["OfIndex", "partners"]

GALLERIES = (1000, 2000, 10_000, 100_000)
"""Sizes that are tried where there are as many objects, beside all there are."""

PARTNERS = "partners of test cells"
PARTNERS_AND_OTHERS = "partners and others of test cells"

FOUND_AT = (1, 10, 100)
_DEEPEST = 1000
_K = 10
_LEAST = 20
_MUTUAL_AT_MOST = 2000
_BLOCK = 256


class OfIndex:
    """An index as `indexer.pairs` looks at it."""

    def __init__(self, index: Index) -> None:
        self._index = index

    @property
    def releases(self) -> Sequence[str]:
        """Names of the releases."""
        return sorted(self._index.releases)

    def places_with(self, release: str, modality: str) -> Int64[np.ndarray, " n"]:
        """Return the rows that have a vector of a modality."""
        return self._index.segment(release).rows_in(modality, modality_of(modality))

    def partners_of(
        self, release: str, rows: Int64[np.ndarray, " n"], other: str
    ) -> Int64[np.ndarray, " n"]:
        """Return the row of another release that is the same source as each row, or -1."""
        return self._index.links.partners(release, rows, other)

    def cells_of(self, release: str) -> Int64[np.ndarray, " n"]:
        """Return the HEALPix index of order 29 of every row."""
        return np.asarray(self._index.segment(release).column("healpix_29"), np.int64)

    def vectors_of(self, release: str, modality: str) -> Any:
        """Map the vectors of a modality in its own space."""
        return self._index.segment(release).vectors(modality, modality_of(modality))[1]


def partners(bench: Bench) -> SuiteResult:
    """Score retrieval across modalities on held-out sources, in both directions."""
    recorder = Recorder("partners", "D. Partners across modalities", bench.seed)
    index = bench.index
    aligned = [m for m in ALIGNED_MODALITIES if index.heads(m) is not None]
    every = gather_pairs(OfIndex(index), ALIGNED_MODALITIES)
    curves: list[dict[str, Any]] = []
    for at, left in enumerate(ALIGNED_MODALITIES):
        for right in ALIGNED_MODALITIES[at + 1 :]:
            pairs = [each for each in every if each.modalities == (left, right)]
            test = [each.only(_tests(bench, each)) for each in pairs]
            count = sum(len(each) for each in test)
            if count < _LEAST:
                recorder.skipped.append(
                    f"{left} and {right}: at least {_LEAST} pairs in test cells are needed, there "
                    f"are {count}"
                )
                continue
            _describe(bench, recorder, f"{left} and {right}", pairs, test)
            _mutual(bench, recorder, left, right, test)
            if left not in aligned or right not in aligned:
                recorder.skipped.append(f"{left} and {right} are not aligned in this index")
            for own, to in ((0, 1), (1, 0)):
                curves += _direction(bench, recorder, test, own, to, (left, right))
    if index.heads(NATIVE) is not None:
        curves += _by_native(bench, recorder)
    recorder.figures["ranks"] = curves
    return recorder.result()


def _by_native(bench: Bench, recorder: Recorder) -> list[dict[str, Any]]:
    """Score what spectra find in the shared space by the head for the tokenizer's vectors."""
    curves: list[dict[str, Any]] = []
    index = bench.index
    for to in ("image", "xp"):
        pairs = gather_pairs(OfIndex(index), (to, NATIVE))
        pairs = [each for each in pairs if each.modalities == (to, NATIVE)]
        test = [each.only(_tests(bench, each)) for each in pairs]
        count = sum(len(each) for each in test)
        if index.heads(to) is None or count < _LEAST:
            recorder.skipped.append(
                f"{NATIVE} to {to}: heads and at least {_LEAST} pairs in test cells are needed, "
                f"there are {count}"
            )
            continue
        asking = _side(bench, test, 1, modality_of(NATIVE), NATIVE)
        whole = _side(bench, test, 0, to, SHARED)
        numbers = bench.picked(np.flatnonzero(np.isin(asking.sources, whole.sources)))
        asked = asking, numbers, index.to_shared(NATIVE, asking.vectors(numbers))
        direction = f"{NATIVE}_to_{to}"
        curves += _identity(bench, recorder, asked, whole, "aligned", direction, PARTNERS)
    return curves


def _tests(bench: Bench, pairs: ReleasePairs) -> np.ndarray[Any, Any]:
    """Return True for pairs of test cells: the cell is the one by which heads were fitted."""
    return bench.test_cells(pairs.healpix_29)


def _describe(
    bench: Bench,
    recorder: Recorder,
    name: str,
    pairs: Sequence[ReleasePairs],
    test: Sequence[ReleasePairs],
) -> None:
    cells = np.unique(
        np.concatenate([bench.split.cells(each.healpix_29) for each in test])
    ).tolist()
    recorder.facts.setdefault("pairs", {})[name] = {
        "all": {each.name: len(each) for each in pairs},
        "test": {each.name: len(each) for each in test},
        "healpix_order": bench.split.order,
        "test_cells": len(cells),
        "cells_sha256": hashlib.sha256("".join(f"{c}\n" for c in cells).encode()).hexdigest(),
        "matched_within_arcsec": 1.0,
    }


def _side(bench: Bench, test: Sequence[ReleasePairs], side: int, modality: str, space: str) -> Pool:
    """Return the objects on one side of the pairs."""
    rows: dict[str, list[np.ndarray[Any, Any]]] = {}
    for each in test:
        rows.setdefault(each.releases[side], []).append(each.rows[side])
    found = {
        name: np.unique(np.concatenate(rows[name])).astype(np.int64)
        for name in bench.index.releases
        if any(len(each) for each in rows.get(name, []))
    }
    return Pool(bench.index, space, modality, found)


def _mutual(
    bench: Bench, recorder: Recorder, left: str, right: str, test: Sequence[ReleasePairs]
) -> None:
    """Compare neighbours inside each modality, over the same pairs: no bridge has a part in it."""
    largest = max(test, key=len)
    chosen = bench.picked(np.arange(len(largest)), min(_MUTUAL_AT_MOST, len(largest)))
    if len(chosen) <= _K:
        return
    x, y = (np.asarray(each, np.float64) for each in largest.take(chosen))
    x, y = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (x, y))
    side = Pool(bench.index, left, left, {largest.releases[0]: largest.rows[0][chosen]})
    recorder.add(
        "mutual_neighbours",
        mutual_neighbours(x, y, _K),
        keys=side.keys(np.arange(len(chosen))),
        gallery=Gallery(f"pairs of {largest.name}", len(chosen), split="test cells"),
        mode="exact",
        direction=f"{left}_and_{right}",
        k=_K,
        chance=_K / (len(chosen) - 1),
    )


def _direction(
    bench: Bench,
    recorder: Recorder,
    test: Sequence[ReleasePairs],
    own_side: int,
    to_side: int,
    modalities: tuple[str, str],
) -> list[dict[str, Any]]:
    own, to = modalities[own_side], modalities[to_side]
    direction = f"{own}_to_{to}"
    curves = []
    arms = {}
    if bench.index.heads(own) is not None and bench.index.heads(to) is not None:
        arms["aligned"] = (SHARED, SHARED)
    if bench.index.space(own).description.dim == bench.index.space(to).description.dim:
        arms["each in its own space"] = (own, to)
    for arm, (own_space, to_space) in arms.items():
        asking = _side(bench, test, own_side, own, own_space)
        whole = _side(bench, test, to_side, to, to_space)
        wanted = {*GALLERIES, bench.gallery or GALLERIES[0]}
        sizes = [size for size in sorted(wanted) if size < len(whole)]
        pools = [(PARTNERS, _sized(whole, size, bench.seed)) for size in (*sizes, len(whole))]
        among = whole
        if bench.gallery is not None and len(whole) < bench.gallery:
            among = _with_others(bench, whole, own)
            pools += [(PARTNERS_AND_OTHERS, among)] if len(among) > len(whole) else []
        for kind, pool in pools:
            numbers = bench.picked(np.flatnonzero(np.isin(asking.sources, pool.sources)))
            asked = asking, numbers, asking.vectors(numbers)
            curves += _identity(bench, recorder, asked, pool, arm, direction, kind)
        agreement(bench, recorder, asking, whole, arm, direction)
        if arm == "aligned":
            equal_brightness(bench, recorder, asking, among, arm, direction)
    asking, whole = (
        _side(bench, test, side, modalities[side], modalities[side]) for side in (own_side, to_side)
    )
    largest = max(whole.releases, key=lambda name: len(whole.rows[name]))
    pool = Pool(bench.index, to, to, {largest: whole.rows[largest]})
    found = imagined(bench, recorder, asking, pool, direction)
    if found is not None:
        kind = f"{PARTNERS}, {largest}"
        curves += _identity(bench, recorder, (asking, *found), pool, IMAGINED, direction, kind)
    return curves


def _with_others(bench: Bench, pool: Pool, other_modality: str) -> Pool:
    """Fill a gallery up to the size that is asked for, with what has no partner.

    Such objects of test cells are what a search meets beside the partner as well.
    """
    assert bench.gallery is not None
    every = pool_of(bench.index, pool.modality, space=pool.space)
    seen = pool_of(bench.index, other_modality).sources
    others = np.flatnonzero(bench.test_cells(every.healpix_29) & ~np.isin(every.sources, seen))
    kept = np.zeros(len(every), bool)
    for name, rows in pool.rows.items():
        kept[every.starts[name] + np.searchsorted(every.rows[name], rows)] = True
    drawn = np.random.default_rng(bench.seed).permutation(others)
    kept[drawn[: bench.gallery - len(pool)]] = True
    return every.only(kept)


def _sized(pool: Pool, size: int, seed: int) -> Pool:
    """Return a gallery of some size: whole sources, drawn at random."""
    if size >= len(pool):
        return pool
    sources = np.unique(pool.sources)
    drawn = np.random.default_rng(seed).permutation(sources)
    order = np.empty(int(sources.max()) + 1, np.int64)
    order[drawn] = np.arange(len(drawn))
    by_source = np.argsort(order[pool.sources], kind="stable")
    kept = np.zeros(len(pool), bool)
    kept[by_source[:size]] = True
    return pool.only(kept)


def _identity(
    bench: Bench,
    recorder: Recorder,
    asked: tuple[Pool, np.ndarray[Any, Any], np.ndarray[Any, Any]],
    pool: Pool,
    arm: str,
    direction: str,
    kind: str,
) -> list[dict[str, Any]]:
    """Rank the partners of what asks: a pool, numbers in it, and vectors to search with."""
    asking, numbers, vectors = asked
    keys = asking.keys(numbers)
    sources = asking.sources[numbers]
    gallery = Gallery(
        f"{kind}, {len(pool)}",
        len(pool),
        split="test cells",
        healpix_order=bench.split.order,
        exclusion="nothing; the best of a source's entries counts",
    )
    nothing = [np.empty(0, np.int64)] * len(numbers)
    deepest = min(_DEEPEST, len(pool))
    ranks: dict[tuple[str, Mode], np.ndarray[Any, Any]] = {
        (arm, "exact"): _ranks(pool, vectors, sources),
        (arm, "index"): _ranks_in(index_lists(pool, vectors, deepest, nothing), pool, sources),
        (arm, "random"): _ranks_in(
            random_lists(len(pool), len(pool), nothing, bench.seed), pool, sources
        ),
        (f"{arm}; partners shuffled", "exact"): _ranks(
            pool, vectors, _shuffled(sources, bench.seed)
        ),
    }
    entries = (sources[:, None] == pool.sources[None, :]).sum(axis=1)
    alone = bool((entries == 1).all())
    curves = []
    for (name, mode), rank in ranks.items():
        common: dict[str, Any] = {
            "keys": keys,
            "gallery": gallery,
            "mode": mode,
            "arm": name,
            "direction": direction,
        }
        for k in FOUND_AT:
            if k <= len(pool):
                found = ((rank > 0) & (rank <= k)).astype(float)
                chance = chance_of_partner(entries, len(pool), k)
                recorder.add("r_at_k", found, k=k, rank=rank, chance=chance, **common)
        # A partner beyond the end of a list is at least one place behind it.
        placed = np.where(rank > 0, rank, len(pool)).astype(float)
        note = "" if mode != "index" else f"partners beyond rank {deepest} count as {len(pool)}"
        common["note"] = note
        middle = dict(common, statistic="median")
        # Of several entries of a source the best counts: then no simple value is chance.
        half = 0.5 if alone else np.nan
        recorder.add("median_rank", placed, chance=half * len(pool), **middle)
        recorder.add("median_rank_over_n", placed / len(pool), chance=half, **middle)
        recorder.add("map", np.where(rank > 0, 1.0 / np.maximum(rank, 1), 0.0), **common)
        curves.append(_rank_curve(name, mode, direction, len(pool), placed))
    return curves


def _shuffled(sources: np.ndarray[Any, Any], seed: int) -> np.ndarray[Any, Any]:
    """Give every query the partner of another one: the next of a random circle."""
    order = np.random.default_rng(seed).permutation(len(sources))
    shuffled = np.empty_like(sources)
    shuffled[order] = sources[np.roll(order, 1)]
    return shuffled


def _ranks(
    pool: Pool, vectors: np.ndarray[Any, Any], sources: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Rank the partner of every query among all, exactly."""
    gallery = pool.vectors(np.arange(len(pool)))
    found = [
        rank_of_partner(
            vectors[start : start + _BLOCK] @ gallery.T,
            sources[start : start + _BLOCK, None] == pool.sources[None, :],
        )
        for start in range(0, len(vectors), _BLOCK)
    ]
    return np.concatenate(found)


def _ranks_in(lists: Lists, pool: Pool, sources: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the place of the first partner in every list, from 1; 0 where it is in none."""
    own = lists.take(pool.sources, -1) == sources[:, None]
    return np.where(own.any(axis=1), own.argmax(axis=1) + 1, 0)


def _rank_curve(
    arm: str, mode: str, direction: str, size: int, ranks: np.ndarray[Any, Any]
) -> dict[str, Any]:
    """Return the share of queries whose partner has at most a rank, for a figure."""
    at = np.unique(np.geomspace(1, size, 40).astype(int))
    return {
        "arm": arm,
        "mode": mode,
        "direction": direction,
        "size": size,
        "rank": at.tolist(),
        "share": [round(float(np.mean(ranks <= rank)), 4) for rank in at],
        "median": bootstrap(ranks, 0, "median").value,
    }
