"""Formulas. Pure functions of arrays; one value a query wherever there is one, never only a mean.

Lists of hits are numbers of objects, best first, padded with -1 behind their true length; padding
is neither found nor missed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64

__all__ = [
    "PADDING",
    "REDSHIFT_SCORES",
    "Interval",
    "Score",
    "bootstrap",
    "bootstrap_of",
    "chance_of_partner",
    "crps",
    "dcg",
    "found_share",
    "mutual_neighbours",
    "ndcg",
    "overlap",
    "purity",
    "r_squared",
    "rank_of_partner",
    "recall",
    "recall_ceiling",
    "redshift_error",
    "redshift_scores",
    "relevant_found",
    "sigma_nmad",
    "tie_tolerant_recall",
]

PADDING = -1
RESAMPLES = 1000
"""Of a bootstrap."""

_RESAMPLED_AT_ONCE = 1_000_000

TIE_MARGIN = 1e-3
NORMAL_MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""

OUTLIERS = (0.05, 0.15)

Gain = Literal["linear", "exponential"]


@dataclass(frozen=True)
class Interval:
    """A statistic with its 95 % bootstrap interval over queries; NaN of no query."""

    value: float
    low: float
    high: float
    queries: int


def bootstrap(
    values: np.ndarray[Any, Any], seed: int, statistic: Literal["mean", "median"] = "mean"
) -> Interval:
    """Return a statistic of per-query values, with a percentile interval over queries.

    A thousand resamples of the queries with replacement; NaN values are queries without an answer
    and are left out.
    """
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        return Interval(np.nan, np.nan, np.nan, 0)
    of = np.mean if statistic == "mean" else np.median
    return bootstrap_of(lambda chosen: of(known[chosen], axis=-1), len(known), seed)


def bootstrap_of(
    of: Callable[[Int64[np.ndarray, "... m"]], Any], count: int, seed: int
) -> Interval:
    """Return any statistic of queries, with a percentile interval over queries.

    Parameters
    ----------
    of
        The statistic of some queries along the last axis, given their numbers, which may repeat.
    count
        How many queries there are.
    """
    if not count:
        return Interval(np.nan, np.nan, np.nan, 0)
    rng = np.random.default_rng(seed)
    # Many resamples at once: one by one, they take longer than the searches.
    at_once = max(1, _RESAMPLED_AT_ONCE // count)
    again = [
        np.asarray(of(rng.integers(count, size=(min(at_once, RESAMPLES - start), count))))
        for start in range(0, RESAMPLES, at_once)
    ]
    known = np.concatenate(again)
    known = known[np.isfinite(known)]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
    return Interval(float(of(np.arange(count))), float(low), float(high), count)


# Index fidelity.


def _cut(lists: np.ndarray[Any, Any], k: int) -> np.ndarray[Any, Any]:
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return lists[:, :k]


def recall(
    approximate: Int64[np.ndarray, "q a"], exact: Int64[np.ndarray, "q e"], k: int
) -> Float64[np.ndarray, " q"]:
    """Return |A_k and E_k| / k, with k no more than the exact list is long; NaN without one."""
    a, e = _cut(approximate, k), _cut(exact, k)
    true = e != PADDING
    hits = ((e[:, :, None] == a[:, None, :]).any(axis=2) & true).sum(axis=1)
    counts = true.sum(axis=1)
    return np.where(counts > 0, hits / np.maximum(counts, 1), np.nan)


def tie_tolerant_recall(
    scores: Float64[np.ndarray, "q a"],
    exact_scores: Float64[np.ndarray, "q e"],
    k: int,
    margin: float = TIE_MARGIN,
) -> Float64[np.ndarray, " q"]:
    """Return the share of A_k whose exact score is at least that of the k-th of E_k less a margin.

    Parameters
    ----------
    scores
        Exact scores of the approximate list, NaN behind its length.
    exact_scores
        Of the exact list, descending, NaN behind its length.
    """
    a, e = _cut(scores, k), _cut(exact_scores, k)
    counts = np.isfinite(e).sum(axis=1)
    last = e[np.arange(len(e)), np.maximum(counts - 1, 0)] if e.shape[1] else np.full(len(e), 0.0)
    good = (a >= (last - margin)[:, None]).sum(axis=1)
    return np.where(counts > 0, np.minimum(good, counts) / np.maximum(counts, 1), np.nan)


def found_share(
    lists: Int64[np.ndarray, "q a"], wanted: Int64[np.ndarray, " q"], k: int
) -> Float64[np.ndarray, " q"]:
    """Return 1 where one wanted object is among the first k, else 0.

    With the true nearest neighbour this is 1-recall@k; with the query itself, self-retrieval.
    """
    return np.asarray((_cut(lists, k) == wanted[:, None]).any(axis=1), np.float64)


# Partner retrieval.


def rank_of_partner(
    scores: np.ndarray[Any, Any], partners: Bool[np.ndarray, "q n"]
) -> Int64[np.ndarray, " q"]:
    """Return the rank of the best partner of each query, from 1; 0 where there is none.

    Other partners do not count, and ties count against the partner.

    Parameters
    ----------
    scores
        Of every query with every object of the gallery; -inf for objects that do not count.
    partners
        True where the object is of the query's own source.
    """
    best = np.where(partners, scores, -np.inf).max(axis=1, initial=-np.inf)
    better = ((scores >= best[:, None]) & ~partners & np.isfinite(scores)).sum(axis=1)
    return np.where(np.isfinite(best), better + 1, 0).astype(np.int64)


def chance_of_partner(entries: Int64[np.ndarray, " q"], size: int, k: int) -> float:
    """Return the mean chance that the best of a source's entries is among the first k of a gallery.

    1 - C(N - k, m) / C(N, m) for m entries among N objects in random order: k / N for one.
    """
    entries = np.asarray(entries, np.int64)
    missed = np.ones(len(entries))
    for at in range(int(entries.max(initial=0))):
        left = np.maximum(size - k - at, 0) / (size - at)
        missed = np.where(at < entries, missed * left, missed)
    return float(np.mean(1.0 - missed)) if len(entries) else float("nan")


def recall_ceiling(positives: int, k: int) -> float:
    """Return the most that recall@k can be: k / positives, at most 1; NaN without positives."""
    return min(1.0, k / positives) if positives else float("nan")


# Graded relevance.


def _gained(relevance: np.ndarray[Any, Any], gain: Gain) -> np.ndarray[Any, Any]:
    if gain not in ("linear", "exponential"):
        raise ValueError(f"a gain is linear or exponential, got {gain!r}")
    return relevance if gain == "linear" else 2.0**relevance - 1.0


def dcg(relevance: np.ndarray[Any, Any], gain: Gain) -> np.ndarray[Any, Any]:
    """Return the sum over ranks i of gain(rel_i) / log2(i + 1), along the last axis.

    The gain is rel (``linear``) or 2^rel - 1 (``exponential``, Burges et al. 2005); for relevance
    0 or 1 the two coincide.
    """
    values = _gained(np.asarray(relevance, np.float64), gain)
    return np.asarray((values / np.log2(np.arange(2, values.shape[-1] + 2))).sum(axis=-1))


def ndcg(
    relevance: Float64[np.ndarray, "q a"],
    pool: Float64[np.ndarray, " n"],
    k: int,
    gain: Gain,
) -> Float64[np.ndarray, " q"]:
    """Return DCG@k over that of the best k relevances of the whole pool; 0 where that is 0.

    Parameters
    ----------
    relevance
        Of the hits of each query, in their order; 0 for padding.
    pool
        Of every object that could have been found, the query's own included, as the authors of
        the published values do.
    """
    best = np.sort(np.asarray(pool, np.float64))[::-1][:k]
    ideal = float(dcg(best, gain))
    if ideal <= 0.0:
        return np.zeros(len(relevance))
    return np.asarray(dcg(_cut(np.asarray(relevance, np.float64), k), gain) / ideal)


def relevant_found(
    relevance: Float64[np.ndarray, "q a"], k: int, at_least: float = 1.0
) -> Float64[np.ndarray, " q"]:
    """Return how many of the first k are relevant."""
    return np.asarray((_cut(relevance, k) >= at_least).sum(axis=1), np.float64)


# Numbers read from neighbours.


def redshift_error(
    predicted: Float64[np.ndarray, " n"], true: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """Return (z_pred - z_true) / (1 + z_true)."""
    return np.asarray((predicted - true) / (1.0 + true))


def sigma_nmad(errors: Float64[np.ndarray, "... n"]) -> np.ndarray[Any, Any]:
    """Return 1.4826 times the median absolute deviation from the median, along the last axis."""
    middle = np.median(errors, axis=-1, keepdims=True)
    return np.asarray(NORMAL_MAD * np.median(np.abs(errors - middle), axis=-1))


def r_squared(
    predicted: Float64[np.ndarray, "... n"], true: Float64[np.ndarray, "... n"]
) -> np.ndarray[Any, Any]:
    """Return 1 - sum (y - p)^2 / sum (y - mean y)^2 along the last axis.

    NaN where the truth does not vary.
    """
    total = ((true - true.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    left = ((true - predicted) ** 2).sum(axis=-1)
    nothing = np.full(np.shape(total), np.nan)
    return np.asarray(1.0 - np.divide(left, total, out=nothing, where=total > 0.0))


Score = Callable[[np.ndarray[Any, Any], np.ndarray[Any, Any]], Any]
"""Of predicted and true values, along the last axis."""

REDSHIFT_SCORES: Mapping[str, Score] = {
    "r2": r_squared,
    "r2_log": lambda told, true: r_squared(np.log10(1.0 + told), np.log10(1.0 + true)),
    "sigma_nmad": lambda told, true: sigma_nmad(redshift_error(told, true)),
    "outliers_005": lambda told, true: _share_beyond(told, true, OUTLIERS[0]),
    "outliers_015": lambda told, true: _share_beyond(told, true, OUTLIERS[1]),
    "bias": lambda told, true: np.median(redshift_error(told, true), axis=-1),
    "mae": lambda told, true: np.abs(told - true).mean(axis=-1),
}
"""Scores of redshifts: R2 of z and of log10(1 + z), sigma_NMAD, shares of errors beyond 0.05 and
0.15, the median of the errors, and the mean of |z_pred - z_true|."""


def _share_beyond(
    told: np.ndarray[Any, Any], true: np.ndarray[Any, Any], limit: float
) -> np.ndarray[Any, Any]:
    return np.asarray((np.abs(redshift_error(told, true)) > limit).mean(axis=-1))


def redshift_scores(
    predicted: Float64[np.ndarray, " n"], true: Float64[np.ndarray, " n"]
) -> dict[str, float]:
    """Return all scores of redshifts; NaN of nothing."""
    if not len(true):
        return dict.fromkeys(REDSHIFT_SCORES, float("nan"))
    return {name: float(of(predicted, true)) for name, of in REDSHIFT_SCORES.items()}


def crps(
    values: Float64[np.ndarray, "q k"],
    weights: Float64[np.ndarray, "q k"],
    true: Float64[np.ndarray, " q"],
) -> Float64[np.ndarray, " q"]:
    """Return the continuous ranked probability score of weighted values, in their unit.

    sum w |x - y| - 1/2 sum sum w w' |x - x'| (Gneiting & Raftery 2007, eq. 20), which is the
    integral of the squared difference of the distribution function from the step at the truth.
    Weights of 0 leave a value out; they need not sum to 1. NaN where all are 0.
    """
    total = weights.sum(axis=1, keepdims=True)
    share = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0.0)
    known = np.where(share > 0.0, values, 0.0)
    order = np.argsort(known, axis=1, kind="stable")
    x, w = np.take_along_axis(known, order, axis=1), np.take_along_axis(share, order, axis=1)
    # sum_ij w_i w_j |x_i - x_j| / 2 = sum_i w_i x_i (W_before - W_after), of ascending x.
    before = np.cumsum(w, axis=1) - w
    spread = (w * x * (2.0 * before + w - 1.0)).sum(axis=1)
    scores = (w * np.abs(x - true[:, None])).sum(axis=1) - spread
    return np.where(total[:, 0] > 0.0, scores, np.nan)


# Classes and sets.


def purity(
    classes: np.ndarray[Any, Any], own: np.ndarray[Any, Any], k: int
) -> Float64[np.ndarray, " q"]:
    """Return the share of the first k whose class is the query's.

    Hits of unknown class (empty text) do not count; NaN where no hit counts or the query's class
    is unknown.
    """
    first = _cut(classes, k)
    known = first != ""
    counts = known.sum(axis=1)
    same = ((first == own[:, None]) & known).sum(axis=1)
    return np.where((counts > 0) & (own != ""), same / np.maximum(counts, 1), np.nan)


def overlap(
    a: Int64[np.ndarray, "q x"], b: Int64[np.ndarray, "q y"], k: int
) -> Float64[np.ndarray, " q"]:
    """Return |A_k and B_k| / k."""
    first, second = _cut(a, k), _cut(b, k)
    both = (first[:, :, None] == second[:, None, :]) & (first[:, :, None] != PADDING)
    return np.asarray(both.any(axis=2).sum(axis=1) / k, np.float64)


def mutual_neighbours(
    left: Float64[np.ndarray, "n d1"], right: Float64[np.ndarray, "n d2"], k: int
) -> Float64[np.ndarray, " n"]:
    """Return the overlap of k nearest neighbours in two sets of unit vectors, row by row.

    Each set of neighbours is found inside its own modality by cosine, itself left out. By chance
    k / (n - 1).
    """
    if len(left) <= k:
        raise ValueError(f"mutual neighbours need more than k = {k} rows, got {len(left)}")
    return overlap(_nearest(left, k), _nearest(right, k), k)


def _nearest(vectors: np.ndarray[Any, Any], k: int) -> np.ndarray[Any, Any]:
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]
