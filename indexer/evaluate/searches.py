"""Three ways to search a pool, with one shape of answer: exact, through the index, and random.

A fourth, by any other features, serves baselines.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from indexer.ann import AnnIndex
from indexer.evaluate.measures import PADDING
from indexer.evaluate.pool import Pool
from indexer.neighbours import GROWTH
from indexer.row_sets import RowSet
from indexer.vectors import exact_scan, rerank

__all__ = [
    "Dropped",
    "Lists",
    "exact_lists",
    "feature_lists",
    "index_lists",
    "random_lists",
]

Dropped = Sequence[Int64[np.ndarray, " m"]]
"""For each query the numbers of objects that do not count."""

_BATCH = 256


@dataclass(frozen=True, eq=False)
class Lists:
    """Hits of several queries.

    Attributes
    ----------
    numbers
        Of objects in the pool, best first, ties by number; -1 behind the end of a list.
    scores
        Exact scores, descending; NaN behind the end.
    """

    numbers: Int64[np.ndarray, "q k"]
    scores: Float64[np.ndarray, "q k"]

    def take(self, values: np.ndarray[Any, Any], nothing: Any) -> np.ndarray[Any, Any]:
        """Return a value of every hit, `nothing` behind the end of a list."""
        if not len(values):
            return np.full(self.numbers.shape, nothing)
        there = self.numbers != PADDING
        return np.asarray(np.where(there, values[np.maximum(self.numbers, 0)], nothing))


def _joined(
    parts: Sequence[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]],
    k: int,
    dropped: Dropped,
) -> Lists:
    """Merge lists of several releases, leave out what does not count, and cut them to k."""
    numbers = np.concatenate([each for each, _ in parts], axis=1)
    scores = np.concatenate([each for _, each in parts], axis=1).astype(np.float64)
    for at, gone in enumerate(dropped):
        numbers[at, np.isin(numbers[at], gone)] = PADDING
    scores[numbers == PADDING] = -np.inf
    order = np.lexsort((numbers, -scores), axis=1)[:, :k]
    numbers = np.take_along_axis(numbers, order, axis=1)
    scores = np.take_along_axis(scores, order, axis=1)
    if numbers.shape[1] < k:
        wanting = ((0, 0), (0, k - numbers.shape[1]))
        numbers = np.pad(numbers, wanting, constant_values=PADDING)
        scores = np.pad(scores, wanting, constant_values=-np.inf)
    return Lists(numbers, np.where(numbers == PADDING, np.nan, scores))


def _stacked(parts: Sequence[Lists], k: int) -> Lists:
    if not parts:
        return Lists(np.empty((0, k), np.int64), np.empty((0, k)))
    return Lists(
        np.concatenate([each.numbers for each in parts]),
        np.concatenate([each.scores for each in parts]),
    )


def _numbered(pool: Pool, release: str, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the numbers of rows of one release; padding stays padding."""
    there = pool.rows[release]
    at = np.minimum(np.searchsorted(there, np.maximum(rows, 0)), len(there) - 1)
    return np.where(rows < 0, PADDING, pool.starts[release] + at)


def _wanted(k: int, dropped: Dropped) -> int:
    return k + max((len(each) for each in dropped), default=0)


def exact_lists(
    pool: Pool, queries: Float32[np.ndarray, "q dim"], k: int, dropped: Dropped
) -> Lists:
    """Compare every vector of a pool with every query, in float32, block by block."""
    found = []
    for start in range(0, len(queries), _BATCH):
        batch, gone = queries[start : start + _BATCH], dropped[start : start + _BATCH]
        parts = []
        for release, rows in pool.rows.items():
            having, stored = pool.index.segment(release).vectors(pool.space, pool.modality)
            positions = None if len(rows) == len(having) else np.searchsorted(having, rows)
            scores, best, _ = exact_scan(
                stored, batch, _wanted(k, gone), rows=having, positions=positions
            )
            parts.append((_numbered(pool, release, best), scores))
        found.append(_joined(parts, k, gone))
    return _stacked(found, k)


def index_lists(
    pool: Pool,
    queries: Float32[np.ndarray, "q dim"],
    k: int,
    dropped: Dropped,
    *,
    nprobe: int | None = None,
    depth: int | None = None,
    replaced: Mapping[str, AnnIndex] | None = None,
) -> Lists:
    """Search the FAISS files of the index, and rank the candidates by exact scores.

    A pool that is not all of a release is searched by a selection of its rows inside FAISS, as a
    filter is.

    Parameters
    ----------
    nprobe
        Inverted lists to visit; by default as a search does: more where these hold too few.
    depth
        Candidates for each hit wanted, where stored scores are approximate; by default as a search
        does.
    replaced
        By release, what is searched in place of its file.
    """
    found = []
    for start in range(0, len(queries), _BATCH):
        batch, gone = queries[start : start + _BATCH], dropped[start : start + _BATCH]
        wanted = _wanted(k, gone)
        parts = []
        for release, rows in pool.rows.items():
            segment = pool.index.segment(release)
            having, stored = segment.vectors(pool.space, pool.modality)
            ann = (replaced or {}).get(release) or segment.ann(pool.space, pool.modality)
            allowed = None if len(rows) == len(having) else RowSet.of(rows, len(segment)).bits
            flat = ann.recipe.name == "flat"
            fetch = ann.recipe.candidates(wanted) if flat or depth is None else depth * wanted
            probed = None if flat else (nprobe or ann.default_nprobe)
            while True:
                _, candidates, counts = ann.search(batch, fetch, nprobe=probed, allowed=allowed)
                if probed is None or nprobe is not None or probed >= ann.recipe.lists:
                    break
                if counts.min(initial=fetch) >= min(wanted, len(rows)):
                    break
                probed = min(ann.recipe.lists, GROWTH * probed)
            scores, best, _ = rerank(stored, batch, candidates, counts, wanted, rows=having)
            parts.append((_numbered(pool, release, best), scores))
        found.append(_joined(parts, k, gone))
    return _stacked(found, k)


def random_lists(size: int, k: int, dropped: Dropped, seed: int) -> Lists:
    """Draw a random order of the pool for every query; scores are those of the draw."""
    rng = np.random.default_rng(seed)
    width = _wanted(k, dropped)
    numbers = np.full((len(dropped), min(width, size)), PADDING, np.int64)
    for at in range(len(dropped)):
        numbers[at] = rng.choice(size, min(width, size), replace=False)
    scores = np.broadcast_to(-np.arange(numbers.shape[1], dtype=np.float64), numbers.shape)
    return _joined([(numbers, scores)], k, dropped)


def feature_lists(
    features: Float64[np.ndarray, "n d"],
    queries: Float64[np.ndarray, "q d"],
    k: int,
    dropped: Dropped,
) -> Lists:
    """Rank a pool by Euclidean distance of features, one row an object; scores are -distance."""
    found = []
    squares = (features**2).sum(axis=1)
    for start in range(0, len(queries), _BATCH):
        batch, gone = queries[start : start + _BATCH], dropped[start : start + _BATCH]
        distance = np.sqrt(
            np.maximum(squares - 2.0 * batch @ features.T + (batch**2).sum(axis=1)[:, None], 0.0)
        )
        width = min(_wanted(k, gone), len(features))
        best = np.argpartition(distance, width - 1, axis=1)[:, :width]
        scores = -np.take_along_axis(distance, best, axis=1)
        found.append(_joined([(best.astype(np.int64), scores)], k, gone))
    return _stacked(found, k)
