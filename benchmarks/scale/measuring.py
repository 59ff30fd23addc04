"""What one system finds and how fast, setting after setting, until enough is found."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

__all__ = ["TARGETS", "Search", "curve", "point_at"]

Search = Callable[[Float32[np.ndarray, "q dim"], int], Int64[np.ndarray, "q k"]]
"""Rows of the ten nearest of each query, with a setting; -1 where there are fewer."""

TARGETS = (0.95, 0.99)
"""Recall of the ten nearest at which systems are compared."""

WARM_UP = 20
BATCH = 64
SECONDS = 10.0
"""A setting is measured for so long at most, alone and in batches."""


def curve(
    search: Search,
    queries: Float32[np.ndarray, "q dim"],
    truth: Int64[np.ndarray, "q k"],
    settings: Iterable[int],
    *,
    enough: float = TARGETS[-1],
    seconds: float = SECONDS,
) -> list[dict[str, float]]:
    """Ask the queries with one setting after the other, until a recall is reached.

    Returns
    -------
    For each setting its recall, the times of single queries, and queries a second in batches;
    ``queries`` is how many were asked one by one within `seconds`.
    """
    points = []
    for setting in settings:
        points.append(_measured(search, queries, truth, setting, seconds))
        if points[-1]["recall_at_10"] >= enough:
            break
    return points


def _measured(
    search: Search,
    queries: np.ndarray[Any, Any],
    truth: np.ndarray[Any, Any],
    setting: int,
    seconds: float,
) -> dict[str, float]:
    began = time.perf_counter()
    for query in queries[:WARM_UP]:
        search(query[None, :], setting)
        if time.perf_counter() - began > seconds:
            break
    taken: list[float] = []
    shares: list[float] = []
    began = time.perf_counter()
    for query, true in zip(queries, truth, strict=True):
        start = time.perf_counter()
        found = search(query[None, :], setting)
        end = time.perf_counter()
        taken.append(1e3 * (end - start))
        shares.append(float(np.isin(true, found[0]).mean()))
        if end - began > seconds:
            break
    done, began = 0, time.perf_counter()
    while done < len(queries):
        done += len(search(queries[done : done + BATCH], setting))
        if time.perf_counter() - began > seconds:
            break
    rate = done / (time.perf_counter() - began)
    p50, p99 = np.quantile(taken, [0.5, 0.99])
    return {
        "setting": setting,
        "recall_at_10": round(float(np.mean(shares)), 4),
        "p50_ms": round(float(p50), 4),
        "p99_ms": round(float(p99), 4),
        "queries_per_s": round(rate, 1),
        "queries": len(taken),
    }


def point_at(points: Sequence[Mapping[str, float]], recall: float) -> Mapping[str, float] | None:
    """Return the fastest setting whose recall is at least so much, or None."""
    reaching = [each for each in points if each["recall_at_10"] >= recall]
    return min(reaching, key=lambda each: each["p50_ms"], default=None)
