"""One source, one modality, two releases: how near is the twin, before and after centring each?"""

from typing import Any

import numpy as np

from aion_encoder.observations import MODALITIES
from indexer.evaluate.bench import Bench
from indexer.evaluate.measures import rank_of_partner
from indexer.evaluate.pool import Pool, pool_of
from indexer.evaluate.records import Gallery, Recorder
from indexer.evaluate.searches import index_lists, random_lists
from indexer.spaces import to_unit

__all__ = ["duplicates"]

GALLERY = 2000
_LEAST = 20
_K = 10
_BEFORE, _AFTER = "as indexed", "each release's mean removed"


def duplicates(bench: Bench, recorder: Recorder) -> None:
    """Rank the twin of a source in another release, both ways.

    Means are those of all objects outside the test cells, in the space of the index; sources of
    test cells ask and are searched.
    """
    for modality in MODALITIES:
        releases = pool_of(bench.index, modality).releases
        for a in releases:
            for b in releases:
                if a != b:
                    _between(bench, recorder, modality, a, b)


def _tests_and_mean(bench: Bench, modality: str, release: str) -> tuple[Pool, np.ndarray[Any, Any]]:
    pool = pool_of(bench.index, modality, releases=(release,))
    test = bench.test_cells(pool.healpix_29)
    outside = bench.picked(np.flatnonzero(~test), 20_000)
    chosen = outside if len(outside) else np.arange(len(pool))
    return pool.only(test), pool.vectors(chosen).mean(axis=0)


def _between(bench: Bench, recorder: Recorder, modality: str, a: str, b: str) -> None:
    asking, own_mean = _tests_and_mean(bench, modality, a)
    pool, other_mean = _tests_and_mean(bench, modality, b)
    direction = f"{modality}: {a}_to_{b}"
    twins = np.isin(asking.sources, pool.sources) if len(asking) and len(pool) else np.zeros(0)
    if twins.sum() < _LEAST:
        recorder.skipped.append(
            f"{direction}: at least {_LEAST} sources of test cells in both releases are needed, "
            f"there are {int(twins.sum())}"
        )
        return
    numbers = bench.picked(np.flatnonzero(twins), min(bench.queries, GALLERY))
    sources = asking.sources[numbers]
    # Twins of the queries first, then others, so that every query has an answer.
    wanted = np.isin(pool.sources, sources)
    others = bench.picked(np.flatnonzero(~wanted), max(GALLERY - int(wanted.sum()), 0))
    kept = wanted.copy()
    kept[others] = True
    pool = pool.only(kept)
    partners = sources[:, None] == pool.sources[None, :]
    vectors, gallery = asking.vectors(numbers), pool.vectors(np.arange(len(pool)))
    nothing = [np.empty(0, np.int64)] * len(numbers)
    through = index_lists(pool, vectors, len(pool), nothing)
    random = random_lists(len(pool), len(pool), nothing, bench.seed)
    centred = rank_of_partner(
        to_unit(vectors - own_mean) @ to_unit(gallery - other_mean).T, partners
    )
    about = Gallery(
        f"{b}, sources of test cells",
        len(pool),
        split="test cells",
        healpix_order=bench.split.order,
        exclusion="nothing",
    )
    keys = asking.keys(numbers)
    for arm, mode, rank in (
        (_BEFORE, "exact", rank_of_partner(vectors @ gallery.T, partners)),
        (_BEFORE, "index", _first(through.take(pool.sources, -1), sources)),
        (_BEFORE, "random", _first(random.take(pool.sources, -1), sources)),
        (_AFTER, "exact", centred),
    ):
        common: dict[str, Any] = {
            "keys": keys,
            "gallery": about,
            "mode": mode,
            "arm": arm,
            "direction": direction,
        }
        found = ((rank > 0) & (rank <= _K)).astype(float)
        recorder.add("twin_r_at_k", found, k=_K, rank=rank, chance=_K / len(pool), **common)
        placed = np.where(rank > 0, rank, len(pool)).astype(float)
        recorder.add(
            "twin_median_rank", placed, statistic="median", chance=len(pool) / 2.0, **common
        )


def _first(found: np.ndarray[Any, Any], sources: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    own = found == sources[:, None]
    return np.where(own.any(axis=1), own.argmax(axis=1) + 1, 0)
