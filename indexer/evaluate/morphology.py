"""Suite B: do galaxies with spiral arms, and mergers, find others? nDCG by volunteers' votes."""

from dataclasses import replace
from typing import Any

import numpy as np

from indexer.evaluate.bench import Bench
from indexer.evaluate.measures import ndcg
from indexer.evaluate.pool import Pool, left_out, pool_of
from indexer.evaluate.published import RETRIEVAL, bar
from indexer.evaluate.records import Gallery, Recorder, SuiteResult
from indexer.evaluate.searches import Lists, exact_lists, feature_lists, index_lists
from indexer.spaces import to_unit

__all__ = ["DEPTHS", "graded_ndcg", "morphology", "random_ndcg", "searched"]

VOTES = {"spiral": "votes_spiral", "merger": "votes_merger"}
CLEAR_VOTE = 0.9
TOP_QUERIES = 50
DEPTHS = (10, 1000)

PERMUTATIONS, PERMUTATION_SEED = 50, 42
"""Of the random control, as in the authors' scripts."""

EXAMPLES = (1, 2, 5, 10, 15)
GROUPS = 50

_LEAST = 20
_IDEAL = "ideal of the whole pool, the query included"


def morphology(bench: Bench) -> SuiteResult:
    """Score retrieval by vote fractions, for every release of images.

    Queries are, as in the AION-1 paper, objects with a fraction above 0.9; and, as in the scripts
    of AION-Search, the 50 with the highest.
    """
    recorder = Recorder("morphology", "B. Spiral arms and mergers", bench.seed)
    bars: list[dict[str, Any]] = []
    for release in pool_of(bench.index, "image").releases:
        whole = pool_of(bench.index, "image", releases=(release,))
        for looked_for, label in VOTES.items():
            votes = bench.of(whole, label)
            voted = np.zeros(len(whole), bool) if votes is None else np.isfinite(votes)
            if votes is None or voted.sum() < _LEAST:
                recorder.skipped.append(
                    f"{release}: {label} must be known of at least {_LEAST} objects, it is of "
                    f"{int(voted.sum())}"
                )
                continue
            recorder.facts.setdefault("pool", {})[f"{release}, {looked_for}"] = {
                "objects": len(whole),
                "voted": int(voted.sum()),
                "without_votes": int((~voted).sum()),
                "above_0.5": int((votes[voted] > 0.5).sum()),
                "mean_fraction": round(float(votes[voted].mean()), 4),
            }
            bars += _one(bench, recorder, whole.only(voted), looked_for, votes[voted])
    recorder.figures["ndcg"] = bars
    return recorder.result()


def _one(
    bench: Bench,
    recorder: Recorder,
    pool: Pool,
    looked_for: str,
    votes: np.ndarray[Any, Any],
) -> list[dict[str, Any]]:
    order = np.lexsort((np.arange(len(votes)), -votes))
    arms = {
        "fraction above 0.9": bench.picked(np.flatnonzero(votes > CLEAR_VOTE)),
        "50 highest fractions": np.sort(order[:TOP_QUERIES]),
    }
    (release,) = pool.releases
    bars = []
    for arm, numbers in arms.items():
        if not len(numbers):
            recorder.skipped.append(f"{release}, {looked_for}: no object has a {arm}")
            continue
        for near in (False, True):
            gallery = Gallery(
                f"{release} with votes",
                len(pool),
                exclusion="2 arcsec around the query, and its source" if near else "the query",
            )
            found = searched(bench, pool, pool, numbers, max(DEPTHS), near=near)
            bars += graded_ndcg(
                recorder, pool, numbers, found, votes, gallery, arm, looked_for, release
            )
        bars += random_ndcg(recorder, votes, gallery, looked_for, release, arm)
    averaging(bench, recorder, pool, votes, looked_for)
    return bars


def averaging(
    bench: Bench, recorder: Recorder, pool: Pool, votes: np.ndarray[Any, Any], looked_for: str
) -> None:
    """Ask with the mean of several clear examples, as the AION-1 paper does up to fifteen.

    Fifty groups are drawn for every number of examples; the examples do not count as hits.
    """
    clear = np.flatnonzero(votes > CLEAR_VOTE)
    rng = np.random.default_rng(bench.seed)
    (release,) = pool.releases
    for count in (each for each in EXAMPLES if each <= len(clear) // 2):
        groups = [np.sort(rng.choice(clear, count, replace=False)) for _ in range(GROUPS)]
        vectors = np.stack([pool.vectors(group).mean(axis=0) for group in groups])
        lists = index_lists(pool, np.asarray(to_unit(vectors), np.float32), DEPTHS[0], groups)
        recorder.add(
            f"ndcg_of_mean.{looked_for}",
            ndcg(lists.take(votes, 0.0), votes, DEPTHS[0], "exponential"),
            keys=[f"group {each}" for each in range(GROUPS)],
            gallery=Gallery(f"{release} with votes", len(pool), exclusion="the examples"),
            mode="index",
            arm=f"mean of {count}",
            direction=release,
            formula=f"exponential gain, {_IDEAL}",
            k=DEPTHS[0],
        )


def searched(
    bench: Bench,
    pool: Pool,
    asking: Pool,
    numbers: np.ndarray[Any, Any],
    deepest: int,
    *,
    near: bool,
) -> dict[str, Lists]:
    """Search a pool exactly, through the index and by the features of every baseline.

    Parameters
    ----------
    asking, numbers
        The queries.
    near
        Leave out everything within 2 arcsec of a query, not only the query itself.
    """
    deepest = min(deepest, len(pool))
    vectors = asking.vectors(numbers)
    gone = left_out(pool, asking, numbers, near=near)
    found = {
        "exact": exact_lists(pool, vectors, deepest, gone),
        "index": index_lists(pool, vectors, deepest, gone),
    }
    for name, features_of in bench.baselines.items() if pool is asking else ():
        features = features_of(pool)
        if features is not None:
            found[name] = feature_lists(features, features[numbers], deepest, gone)
    return found


def graded_ndcg(
    recorder: Recorder,
    pool: Pool,
    numbers: np.ndarray[Any, Any],
    found: dict[str, Lists],
    relevance: np.ndarray[Any, Any],
    gallery: Gallery,
    arm: str,
    looked_for: str,
    direction: str,
    *,
    asking: Pool | None = None,
    published: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Keep nDCG of both gains at every depth, and return the bars of a figure."""
    keys = (asking or pool).keys(numbers)
    bars = []
    for way, lists in found.items():
        graded = lists.take(relevance, 0.0)
        for k in DEPTHS:
            for gain in ("exponential", "linear"):
                mode: Any = way if way in ("exact", "index") else "baseline"
                beside = bar(RETRIEVAL[looked_for]) if published is None else published
                record = recorder.add(
                    f"ndcg.{looked_for}",
                    ndcg(graded, relevance, k, gain),
                    keys=keys,
                    gallery=gallery,
                    mode=mode,
                    arm=arm if mode != "baseline" else f"{arm}; {way}",
                    direction=direction,
                    formula=f"{gain} gain, {_IDEAL}",
                    k=k,
                    **(beside if _as_published(k, gain) and mode != "baseline" else {}),
                )
                if _as_published(k, gain) and gallery.exclusion == "the query":
                    bars.append(
                        {
                            "looked_for": looked_for,
                            "direction": direction,
                            "arm": arm,
                            "way": way,
                            "value": record.value,
                            "low": record.low,
                            "high": record.high,
                        }
                    )
    return bars


def _as_published(k: int, gain: str) -> bool:
    return k == DEPTHS[0] and gain == "exponential"


def random_ndcg(
    recorder: Recorder,
    relevance: np.ndarray[Any, Any],
    gallery: Gallery,
    looked_for: str,
    direction: str,
    arm: str,
) -> list[dict[str, Any]]:
    """Score 50 random orders of the pool: their mean and deviation, as the authors do."""
    rng = np.random.default_rng(PERMUTATION_SEED)
    deepest = min(max(DEPTHS), len(relevance))
    orders = np.stack(
        [rng.permutation(len(relevance))[:deepest] for _ in range(PERMUTATIONS)]
    ).astype(np.int64)
    graded = relevance[orders]
    bars = []
    for k in DEPTHS:
        for gain in ("exponential", "linear"):
            values = ndcg(graded, relevance, k, gain)
            record = recorder.add(
                f"ndcg.{looked_for}",
                values,
                keys=[f"permutation {each}" for each in range(PERMUTATIONS)],
                gallery=replace(gallery, exclusion="nothing"),
                mode="random",
                arm=arm,
                direction=direction,
                formula=f"{gain} gain, {_IDEAL}",
                k=k,
                note=f"{PERMUTATIONS} permutations, seed {PERMUTATION_SEED}; standard deviation "
                f"{values.std():.4f}",
            )
            if _as_published(k, gain):
                bars.append(
                    {
                        "looked_for": looked_for,
                        "direction": direction,
                        "arm": arm,
                        "way": "random",
                        "value": record.value,
                        "low": record.low,
                        "high": record.high,
                    }
                )
    return bars
