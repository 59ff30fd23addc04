"""Suite A: does the index return what exact search would, per kind of query, and how fast?"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from aion_encoder.observations import MODALITIES
from indexer.ann import AnnIndex, Recipe, fill, recipe_for, train
from indexer.evaluate.bench import Bench
from indexer.evaluate.measures import (
    found_share,
    recall,
    tie_tolerant_recall,
)
from indexer.evaluate.pool import Pool, left_out, pool_of
from indexer.evaluate.records import SWEEP, Gallery, Mode, Recorder, SuiteResult
from indexer.evaluate.searches import Lists, exact_lists, index_lists, random_lists
from indexer.options import SearchOptions
from indexer.spaces import SHARED, to_unit

__all__ = ["LISTS_ARM", "fidelity"]

DEPTHS = (1, 10, 100, 1000)
LISTS_FROM = 500
"""Vectors of a release from which inverted lists are tried beside the exact file."""

LISTS_ARM = "inverted lists, made for this measurement"

_TIMED = 200
_PERTURBED_COSINE = 0.95
"""Cosine of a perturbed query with its original, about that of a noisier exposure."""

_K = 10


def fidelity(bench: Bench) -> SuiteResult:
    """Compare the index with exact search for every kind of query.

    Kinds are pairs of modalities, inside one and across (in the space ``shared``), and perturbed
    queries such as a file brings.
    """
    recorder = Recorder("fidelity", "A. The index against exact search", bench.seed)
    curves: list[dict[str, Any]] = []
    made: dict[tuple[str, str, str], AnnIndex] = {}
    for own in MODALITIES:
        same = pool_of(bench.index, own)
        if len(same) < 2:
            continue
        numbers = bench.picked(np.arange(len(same)))
        vectors = same.vectors(numbers)
        _kind(bench, recorder, f"{own}_to_{own}", same, same, numbers, vectors, made)
        turned = _turned(vectors, bench)
        _kind(bench, recorder, f"{own}_perturbed", same, same, numbers, turned, made)
        curves += _sweeps(bench, recorder, same)
        for to in MODALITIES:
            if to == own or None in (bench.index.heads(own), bench.index.heads(to)):
                continue
            asking = pool_of(bench.index, own, space=SHARED)
            asked = pool_of(bench.index, to, space=SHARED)
            if not len(asking) or not len(asked):
                continue
            numbers = bench.picked(np.arange(len(asking)))
            shared = asking.vectors(numbers)
            _kind(bench, recorder, f"{own}_to_{to}", asked, asking, numbers, shared, made)
    recorder.figures["recall_against_latency"] = curves
    recorder.facts["bytes_a_vector"] = _sizes(bench)
    return recorder.result()


def _turned(vectors: np.ndarray[Any, Any], bench: Bench) -> np.ndarray[Any, Any]:
    """Turn unit vectors by one angle, each in a random direction."""
    noise = np.random.default_rng(bench.seed).normal(size=vectors.shape)
    noise -= (noise * vectors).sum(axis=1, keepdims=True) * vectors
    noise = to_unit(noise)
    sine = np.sqrt(1.0 - _PERTURBED_COSINE**2)
    return np.asarray(to_unit(_PERTURBED_COSINE * vectors + sine * noise), np.float32)


def _kind(
    bench: Bench,
    recorder: Recorder,
    direction: str,
    pool: Pool,
    asking: Pool,
    numbers: np.ndarray[Any, Any],
    vectors: np.ndarray[Any, Any],
    made: dict[tuple[str, str, str], AnnIndex],
) -> None:
    gone = left_out(pool, asking, numbers, near=False)
    deepest = min(max(DEPTHS), len(pool) - 1)
    keys = asking.keys(numbers)
    gallery = Gallery(f"all {pool.modality} in {', '.join(pool.releases)}", len(pool))
    exact = exact_lists(pool, vectors, deepest, gone)
    through = index_lists(pool, vectors, deepest, gone)
    random = random_lists(len(pool), deepest, gone, bench.seed)
    for k in DEPTHS:
        if k > deepest:
            continue
        common: dict[str, Any] = {"keys": keys, "gallery": gallery, "direction": direction, "k": k}
        chance = k / len(pool)
        modes: dict[Mode, Lists] = {"exact": exact, "index": through, "random": random}
        for mode, lists in modes.items():
            values = recall(lists.numbers, exact.numbers, k)
            recorder.add("recall", values, mode=mode, chance=chance, **common)
        tied = tie_tolerant_recall(through.scores, exact.scores, k)
        recorder.add("tie_tolerant_recall", tied, mode="index", **common)
        nearest = found_share(through.numbers, exact.numbers[:, 0], k)
        recorder.add("1_recall", nearest, mode="index", chance=chance, **common)
    lists_of = _made_lists(pool, made)
    if lists_of and deepest >= _K:
        listed = index_lists(pool, vectors, _K, gone, replaced=lists_of)
        recorder.add(
            "recall",
            recall(listed.numbers, exact.numbers, _K),
            keys=keys,
            gallery=gallery,
            direction=direction,
            mode="index",
            arm=LISTS_ARM,
            k=_K,
            chance=_K / len(pool),
        )
    if pool is asking and not direction.endswith("perturbed"):
        _self_retrieval(recorder, direction, pool, numbers, vectors, keys, gallery)
    if not direction.endswith("perturbed"):
        _searcher(bench, recorder, direction, pool, exact, keys, gallery)


def _self_retrieval(
    recorder: Recorder,
    direction: str,
    pool: Pool,
    numbers: np.ndarray[Any, Any],
    vectors: np.ndarray[Any, Any],
    keys: list[str],
    gallery: Gallery,
) -> None:
    """Ask with indexed vectors: each must find itself; exact duplicates are counted apart."""
    nothing = [np.empty(0, np.int64)] * len(numbers)
    kept = Gallery(gallery.name, gallery.size, exclusion="nothing")
    found = index_lists(pool, vectors, 1, nothing)
    best = exact_lists(pool, vectors, 2, nothing)
    twins = best.scores[:, 1] >= best.scores[:, 0]
    itself = np.where(twins, np.nan, found.numbers[:, 0] == numbers)
    recorder.add(
        "self_retrieval",
        itself,
        keys=keys,
        gallery=kept,
        mode="index",
        direction=direction,
        k=1,
        note=f"{int(twins.sum())} further queries have an exact duplicate",
    )


def _searcher(
    bench: Bench,
    recorder: Recorder,
    direction: str,
    pool: Pool,
    exact: Lists,
    keys: list[str],
    gallery: Gallery,
) -> None:
    """Ask as people do, one query after the other: agreement with exact search, and latency."""
    searcher = bench.searcher
    at = bench.picked(np.arange(len(keys)), min(_TIMED, bench.queries))
    bridge: Any = "aligned" if pool.space == SHARED else "auto"
    options = SearchOptions(k=_K, to=pool.modality, bridge=bridge, releases=pool.releases)
    # The first query maps files; it is not what the others take.
    searcher.search(searcher.query_object(keys[int(at[0])]), options)
    taken, agreed = [], []
    for number in at.tolist():
        query = searcher.query_object(keys[number])
        start = time.perf_counter()
        hits = searcher.search(query, options)
        taken.append(1e3 * (time.perf_counter() - start))
        want = exact.numbers[number, :_K]
        wanted = set(pool.keys(want[want >= 0]))
        agreed.append(len(wanted & set(hits.key.tolist())) / max(len(wanted), 1))
    asked = [keys[number] for number in at.tolist()]
    common: dict[str, Any] = {
        "keys": asked,
        "gallery": gallery,
        "direction": direction,
        "arm": "searcher",
        "mode": "index",
    }
    recorder.add("recall", np.array(agreed), k=_K, **common)
    recorder.add("latency_ms_p50", np.array(taken), k=_K, statistic="median", **common)
    recorder.facts.setdefault("latency_ms", {})[direction] = {
        f"p{level}": round(float(np.percentile(taken, level)), 3) for level in (50, 95, 99)
    }


def _sweeps(bench: Bench, recorder: Recorder, pool: Pool) -> list[dict[str, Any]]:
    """Recall against latency for every release: its file, and inverted lists of its vectors."""
    curves = []
    for release in pool.releases:
        alone = pool_of(bench.index, pool.modality, releases=(release,))
        ann = bench.index.segment(release).ann(pool.space, pool.modality)
        name = f"{pool.modality}, {release}"
        if ann.recipe.name != "flat":
            curves.append(_curve(bench, recorder, alone, ann, f"{name}: inverted lists"))
            continue
        curves.append(_curve(bench, recorder, alone, ann, f"{name}: every vector"))
        if len(alone) >= LISTS_FROM:
            start = time.perf_counter()
            built = _inverted_lists(alone)
            seconds = time.perf_counter() - start
            curves.append(
                _curve(
                    bench,
                    recorder,
                    alone,
                    built,
                    f"{name}: {LISTS_ARM}",
                )
            )
            recorder.facts.setdefault("lists_made_in_s", {})[name] = round(seconds, 3)
    return curves


def _made_lists(pool: Pool, made: dict[tuple[str, str, str], AnnIndex]) -> dict[str, AnnIndex]:
    """Return inverted lists of the releases that the index searches exactly, by release.

    A small release says nothing of what approximate search loses; its vectors in lists do, also
    for queries of another modality, which lie elsewhere than what the lists were made for.
    """
    found = {}
    for release in pool.releases:
        key = (pool.space, pool.modality, release)
        segment = pool.index.segment(release)
        if segment.ann(pool.space, pool.modality).recipe.name != "flat":
            continue
        alone = pool.only(pool.release_numbers == pool.releases.index(release))
        if len(alone) >= LISTS_FROM:
            if key not in made:
                made[key] = _inverted_lists(alone)
            found[release] = made[key]
    return found


def _inverted_lists(pool: Pool) -> AnnIndex:
    """Return the vectors of a release held as a large release would be."""
    (release,) = pool.releases
    rows, stored = pool.index.segment(release).vectors(pool.space, pool.modality)
    vectors = np.asarray(stored, np.float32)
    recipe = recipe_for(*vectors.shape)
    if recipe.name == "flat":
        recipe = Recipe("ivf_sq8", 2 ** round(np.log2(4.0 * np.sqrt(len(vectors)))))
    recipe = Recipe(recipe.name, min(recipe.lists, len(vectors)))
    return AnnIndex(fill(train(recipe, vectors), vectors, rows))


def _curve(
    bench: Bench, recorder: Recorder, pool: Pool, ann: AnnIndex, name: str
) -> dict[str, Any]:
    numbers = bench.picked(np.arange(len(pool)), min(_TIMED, bench.queries))
    vectors = pool.vectors(numbers)
    gone = left_out(pool, pool, numbers, near=False)
    exact = exact_lists(pool, vectors, _K, gone)
    flat = ann.recipe.name == "flat"
    settings = [(0, 1)]
    if not flat:
        probes = [2**power for power in range(ann.recipe.lists.bit_length())]
        probes = sorted({*(p for p in probes if p <= ann.recipe.lists), ann.default_nprobe})
        settings = [(p, d) for d in (1, ann.recipe.candidates(_K) // _K) for p in probes]
    gallery = Gallery(name, len(pool))
    points = []
    for nprobe, depth in settings:

        def ask(at: int, nprobe: int = nprobe, depth: int = depth) -> Lists:
            return index_lists(
                pool,
                vectors[at : at + 1],
                _K,
                gone[at : at + 1],
                nprobe=nprobe or None,
                depth=depth,
                replaced={pool.releases[0]: ann},
            )

        lists, taken = _timed(ask, len(numbers))
        values = recall(lists, exact.numbers, _K)
        arm = "every vector" if flat else f"{SWEEP}{nprobe}, depth {depth}"
        record = recorder.add(
            "recall",
            values,
            keys=pool.keys(numbers),
            gallery=gallery,
            mode="index",
            arm=arm,
            direction=f"{pool.modality}_to_{pool.modality}",
            k=_K,
            note=f"lists {ann.recipe.lists}, default nprobe {ann.default_nprobe}",
        )
        points.append(
            {
                "setting": arm,
                "depth": depth,
                "nprobe": nprobe,
                "recall": record.value,
                "p50_ms": float(np.percentile(taken, 50)),
                "p95_ms": float(np.percentile(taken, 95)),
            }
        )
    return {"name": name, "vectors": len(pool), "k": _K, "points": points}


def _timed(ask: Callable[[int], Lists], count: int) -> tuple[np.ndarray[Any, Any], list[float]]:
    ask(0)
    found, taken = [], []
    for at in range(count):
        start = time.perf_counter()
        found.append(ask(at).numbers)
        taken.append(1e3 * (time.perf_counter() - start))
    return np.concatenate(found), taken


def _sizes(bench: Bench) -> dict[str, float]:
    """Return the bytes of FAISS files and of stored vectors, a vector, by space."""
    found: dict[str, list[int]] = {}
    for release, info in bench.index.info.releases.items():
        unit = info.directory
        for path, file in bench.index.info.files.items():
            if not path.startswith(f"{unit}/spaces/"):
                continue
            space = path.removeprefix(f"{unit}/spaces/").partition("/")[0]
            found.setdefault(f"{release}, {space}", []).append(file.bytes)
    counts = {
        f"{release}, {space}": sum(info.vectors[modality] for modality in modalities)
        for release, info in bench.index.info.releases.items()
        for space, modalities in info.spaces.items()
    }
    return {
        name: round(sum(sizes) / counts[name], 1)
        for name, sizes in found.items()
        if counts.get(name)
    }
