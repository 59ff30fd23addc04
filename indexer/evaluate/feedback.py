"""Several examples: what marking the first results for and against is worth.

A person asks with one example, and marks the first results by what they truly are. Whatever was
marked, and the source of the example, counts no more: all ways to ask again are compared on the
rest of the pool, which is the same for all of them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from indexer.errors import SearchError
from indexer.evaluate.bench import Bench
from indexer.evaluate.pool import Pool, left_out, pool_of
from indexer.evaluate.rankings import average_precision, share_among_first
from indexer.evaluate.records import Gallery, Recorder
from indexer.examples import AGAINST_WEIGHT, mean_vector, probe_vector

__all__ = ["asked_again", "feedback"]

MARKED = (10, 30)
"""First results that are marked."""

EXAMPLES = 50
"""Examples of each kind that ask, at most; drawn."""

GALLERY = 50_000
"""Objects of a release, at most; picked evenly."""

LEAST_SOUGHT = 30
_K = 10
_CLEAR_VOTE, _VOTE = 0.9, 0.5
_ONE = "one example"

Sought = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
"""True for what is looked for, and for what is a clear example of it."""


def feedback(bench: Bench, recorder: Recorder) -> None:
    """Score every way to use marks, for all kinds that enough pictures of a release are of."""
    bars: list[dict[str, Any]] = []
    for release in pool_of(bench.index, "image").releases:
        whole = pool_of(bench.index, "image", releases=(release,))
        kept = np.zeros(len(whole), bool)
        kept[bench.picked(np.arange(len(whole)), GALLERY)] = True
        pool = whole.only(kept)
        kinds = {
            kind: marks
            for kind, marks in _kinds(bench, pool).items()
            if marks[0].sum() >= LEAST_SOUGHT + max(MARKED) and marks[1].any()
        }
        if not kinds:
            recorder.skipped.append(
                f"marked results, {release}: no kind is known of {LEAST_SOUGHT + max(MARKED)} "
                "pictures"
            )
            continue
        vectors = pool.vectors(np.arange(len(pool))).astype(np.float32)
        for kind, (sought, clear) in kinds.items():
            bars += _one(bench, recorder, pool, vectors, kind, sought, clear)
    recorder.figures["feedback"] = bars


def _kinds(bench: Bench, pool: Pool) -> Mapping[str, Sought]:
    kinds: dict[str, Sought] = {}
    for name, label in (("spirals", "votes_spiral"), ("mergers", "votes_merger")):
        votes = bench.of(pool, label)
        if votes is not None:
            kinds[f"{name} by votes"] = (votes > _VOTE, votes > _CLEAR_VOTE)
    lenses = bench.of(pool, "is_lens")
    if lenses is not None:
        kinds["lenses"] = (lenses == 1.0, lenses == 1.0)
    own = bench.labels is not None and "object_class" in bench.labels.names
    classes = bench.of(pool, "object_class") if own else None
    for name in () if classes is None else sorted(set(classes.tolist()) - {""}):
        assert classes is not None
        kinds[f"class {name}"] = (classes == name, classes == name)
    return kinds


def asked_again(
    example: np.ndarray[Any, Any],
    marked: np.ndarray[Any, Any],
    good: np.ndarray[Any, Any],
) -> dict[str, np.ndarray[Any, Any]]:
    """Return the vector of every way to ask.

    Where nothing was marked against, a person has no more than the mean of what was marked for.

    Parameters
    ----------
    example
        Unit vector of the example.
    marked
        Unit vectors of the marked results.
    good
        True where one is what is looked for.
    """
    positives = np.concatenate([example[None], marked[good]])
    negatives = marked[~good]
    mean = mean_vector(positives, negatives[:0])
    ways = {_ONE: example, "mean of positives": mean}
    name = f"mean of positives less {AGAINST_WEIGHT:g} of negatives"
    if not len(negatives):
        return {**ways, name: mean, "linear probe": mean}
    try:
        less = mean_vector(positives, negatives)
    except SearchError:
        less = mean
    return {**ways, name: less, "linear probe": probe_vector(positives, negatives)}


def _one(
    bench: Bench,
    recorder: Recorder,
    pool: Pool,
    vectors: np.ndarray[Any, Any],
    kind: str,
    sought: np.ndarray[Any, Any],
    clear: np.ndarray[Any, Any],
) -> list[dict[str, Any]]:
    rng = np.random.default_rng(bench.seed)
    candidates = np.flatnonzero(clear)
    asking = np.sort(rng.choice(candidates, min(EXAMPLES, len(candidates)), replace=False))
    gone = left_out(pool, pool, asking, near=True)
    keys = pool.keys(asking)
    (release,) = pool.releases
    bars = []
    for count in MARKED:
        scores: dict[str, list[tuple[float, float]]] = {}
        good_marks = []
        for number, own in zip(asking.tolist(), gone, strict=True):
            allowed = np.ones(len(pool), bool)
            allowed[own] = False
            first = _ranked(vectors, vectors[number], allowed)[:count]
            good_marks.append(float(sought[first].sum()))
            allowed[first] = False
            for way, vector in asked_again(vectors[number], vectors[first], sought[first]).items():
                marks = sought[_ranked(vectors, vector, allowed)]
                each = (float(share_among_first(marks, _K)), float(average_precision(marks)))
                scores.setdefault(way, []).append(each)
        gallery = Gallery(
            f"{release}, {count} marked",
            len(pool),
            exclusion="the source of the example, and what was marked",
        )
        recorder.facts.setdefault("marked_for", {})[f"{release}, {kind}, of {count}"] = round(
            float(np.mean(good_marks)), 2
        )
        bars += _kept(recorder, scores, keys, gallery, kind, release, count, float(sought.mean()))
    return bars


def _ranked(
    vectors: np.ndarray[Any, Any], asked: np.ndarray[Any, Any], allowed: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    scores = vectors @ asked.astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    return np.asarray(order[allowed[order]])


def _kept(
    recorder: Recorder,
    scores: Mapping[str, list[tuple[float, float]]],
    keys: list[str],
    gallery: Gallery,
    kind: str,
    release: str,
    count: int,
    frequency: float,
) -> list[dict[str, Any]]:
    bars = []
    single = np.array(scores[_ONE])
    for way, each in scores.items():
        values = np.array(each)
        common: dict[str, Any] = {
            "keys": keys,
            "gallery": gallery,
            "mode": "exact",
            "arm": f"{way}, {count} marked",
            "direction": f"{release}, {kind}",
        }
        recorder.add("precision", values[:, 0], k=_K, chance=frequency, **common)
        record = recorder.add("average_precision", values[:, 1], chance=frequency, **common)
        bars.append(
            {
                "kind": kind,
                "direction": release,
                "way": way,
                "marked": count,
                "value": record.value,
                "low": record.low,
                "high": record.high,
            }
        )
        if way != _ONE:
            note = "over one example, query by query"
            gain = values - single
            recorder.add("gain_in_precision", gain[:, 0], k=_K, chance=0.0, note=note, **common)
            recorder.add("gain_in_average_precision", gain[:, 1], chance=0.0, note=note, **common)
    return bars
