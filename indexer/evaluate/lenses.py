"""Suite C: do strong lenses find other lenses, within a survey and across surveys?

One lens at rank 10 moves nDCG@10 by 0.064, so counts in the top 100 and 1000 stand beside it.
"""

from typing import Any

import numpy as np

from indexer.evaluate.bench import Bench
from indexer.evaluate.measures import recall_ceiling, relevant_found
from indexer.evaluate.morphology import DEPTHS, graded_ndcg, random_ndcg, searched
from indexer.evaluate.pool import Pool, left_out, pool_of
from indexer.evaluate.published import LENSES_ACROSS_SURVEYS, RETRIEVAL, bar
from indexer.evaluate.records import Gallery, Mode, Recorder, SuiteResult
from indexer.evaluate.searches import Lists, random_lists

__all__ = ["lenses"]

SUBSET_LENSES, SUBSET_OTHERS, SUBSET_SEED = 200, 20_000, 42
"""The gallery of the authors: drawn where there are as many objects that are no lens."""

TOPS = (100, 1000)
_LEAST_LENSES = 2


def lenses(bench: Bench) -> SuiteResult:
    """Score retrieval of lenses by every lens of grade A, or by every lens where none is graded.

    A query from another release than the gallery leaves out its own source, which would be found
    for being the same sky.
    """
    recorder = Recorder("lenses", "C. Strong lenses", bench.seed)
    bars: list[dict[str, Any]] = []
    releases = pool_of(bench.index, "image").releases
    for asking_release in releases:
        for release in releases:
            bars += _between(bench, recorder, asking_release, release)
    recorder.figures["ndcg"] = bars
    return recorder.result()


def _between(
    bench: Bench, recorder: Recorder, asking_release: str, release: str
) -> list[dict[str, Any]]:
    pool = pool_of(bench.index, "image", releases=(release,))
    same = asking_release == release
    asking = pool if same else pool_of(bench.index, "image", releases=(asking_release,))
    relevance, graded = bench.of(pool, "is_lens"), bench.of(pool, "lens_grade")
    asks = relevance if same else bench.of(asking, "is_lens")
    direction = f"{asking_release}_to_{release}"
    found = [0 if each is None else int((each == 1.0).sum()) for each in (relevance, asks)]
    if relevance is None or asks is None or min(found) < _LEAST_LENSES:
        recorder.skipped.append(
            f"{direction}: at least {_LEAST_LENSES} lenses are needed on either side, there are "
            f"{found[1]} and {found[0]}"
        )
        return []
    grades = bench.of(asking, "lens_grade")
    chosen = asks == 1.0 if grades is None else (asks == 1.0) & (grades == "A")
    if not chosen.any():
        chosen = asks == 1.0
    numbers = bench.picked(np.flatnonzero(chosen))
    known = np.isfinite(relevance)
    if same and not known.all():
        recorder.facts.setdefault("unknown", {})[release] = int((~known).sum())
    relevance = np.where(known, relevance, 0.0)
    recorder.facts.setdefault("pool", {})[direction] = {
        "objects": len(pool),
        "lenses": found[0],
        "queries": len(numbers),
        "grades": {}
        if graded is None
        else {grade: int((graded == grade).sum()) for grade in ("A", "B", "C")},
    }
    arm = "every lens" if grades is None else "grade A"
    bars = _gallery(bench, recorder, pool, asking, numbers, relevance, direction, arm, "all")
    others = np.flatnonzero(relevance == 0.0)
    if same and len(others) > SUBSET_OTHERS:
        bars += _subset(bench, recorder, pool, relevance, direction, arm)
    return bars


def _subset(
    bench: Bench,
    recorder: Recorder,
    pool: Pool,
    relevance: np.ndarray[Any, Any],
    direction: str,
    arm: str,
) -> list[dict[str, Any]]:
    rng = np.random.default_rng(SUBSET_SEED)
    there = np.flatnonzero(relevance == 1.0)
    chosen = rng.choice(there, min(SUBSET_LENSES, len(there)), replace=False)
    others = rng.choice(np.flatnonzero(relevance == 0.0), SUBSET_OTHERS, replace=False)
    kept = np.zeros(len(pool), bool)
    kept[chosen] = kept[others] = True
    smaller = pool.only(kept)
    own = relevance[kept]
    numbers = np.flatnonzero(own == 1.0)
    name = f"{len(chosen)} lenses and {SUBSET_OTHERS} others, seed {SUBSET_SEED}"
    return _gallery(bench, recorder, smaller, smaller, numbers, own, direction, arm, name)


def _gallery(
    bench: Bench,
    recorder: Recorder,
    pool: Pool,
    asking: Pool,
    numbers: np.ndarray[Any, Any],
    relevance: np.ndarray[Any, Any],
    direction: str,
    arm: str,
    name: str,
) -> list[dict[str, Any]]:
    surveys = tuple(bench.index.segment(each.releases[0]).info.survey for each in (asking, pool))
    across = LENSES_ACROSS_SURVEYS.get((surveys[0], surveys[1]))
    beside = bar((across,)) if across else bar(RETRIEVAL["lens"])
    bars = []
    # The other survey's picture of the query is in the same place: only the wider rule leaves it.
    for near in (False, True) if pool is asking else (True,):
        gallery = Gallery(
            f"{pool.releases[0]}: {name}",
            len(pool),
            exclusion="2 arcsec around the query, and its source" if near else "the query",
        )
        found = searched(bench, pool, asking, numbers, max(DEPTHS), near=near)
        bars += graded_ndcg(
            recorder,
            pool,
            numbers,
            found,
            relevance,
            gallery,
            arm,
            "lens",
            direction,
            asking=asking,
            published=beside if name == "all" else {},
        )
        gone = left_out(pool, asking, numbers, near=near)
        found["random"] = random_lists(len(pool), max(DEPTHS), gone, bench.seed)
        for way, lists in found.items():
            _counts(recorder, way, lists, asking.keys(numbers), gallery, relevance, direction, arm)
    bars += random_ndcg(recorder, relevance, gallery, "lens", direction, arm)
    return bars


def _counts(
    recorder: Recorder,
    way: str,
    lists: Lists,
    keys: list[str],
    gallery: Gallery,
    relevance: np.ndarray[Any, Any],
    direction: str,
    arm: str,
) -> None:
    """Keep how many lenses are in the top 100 and 1000, and which share of all that is."""
    modes: dict[str, Mode] = {"exact": "exact", "index": "index", "random": "random"}
    mode = modes.get(way, "baseline")
    positives = int((relevance == 1.0).sum()) - 1
    graded = lists.take(relevance, 0.0)
    for top in TOPS:
        if top > gallery.size:
            continue
        counts = relevant_found(graded, top)
        common: dict[str, Any] = {
            "keys": keys,
            "gallery": gallery,
            "mode": mode,
            "arm": arm if mode != "baseline" else f"{arm}; {way}",
            "direction": direction,
            "k": top,
        }
        recorder.add("lenses_found", counts, chance=top * positives / gallery.size, **common)
        ceiling = recall_ceiling(positives, top)
        recorder.add(
            "recall_of_lenses",
            counts / positives,
            chance=top / gallery.size,
            note=f"at most {ceiling:.3f}: {positives} lenses besides the query",
            **common,
        )
