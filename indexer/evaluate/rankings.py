"""Formulas for a ranking in which some objects are what is looked for."""

from typing import Any

import numpy as np

__all__ = ["area_under_curve", "average_precision", "enrichment", "share_among_first"]


def share_among_first(marks: np.ndarray[Any, Any], first: int) -> np.ndarray[Any, Any]:
    """Return how frequent marked objects are among the first of a ranking, along the last axis.

    Parameters
    ----------
    marks
        True or 1 for what is looked for, best first.
    first
        How many of the ranking count; at least one.
    """
    if first < 1:
        raise ValueError(f"at least one of a ranking must count, got {first}")
    return np.asarray(np.asarray(marks, np.float64)[..., :first].mean(axis=-1))


def enrichment(marks: np.ndarray[Any, Any], first: int) -> np.ndarray[Any, Any]:
    """Return how much more frequent marked objects are among the first than among all.

    1 by chance; at most the smaller of n / first and 1 / frequency. NaN where none is marked.
    """
    overall = np.asarray(marks, np.float64).mean(axis=-1)
    nothing = np.full(np.shape(overall), np.nan)
    found = share_among_first(marks, first)
    return np.asarray(np.divide(found, overall, out=nothing, where=overall > 0.0))


def area_under_curve(
    scores: np.ndarray[Any, Any], marks: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Return the chance that a marked object scores above one that is not, along the last axis.

    The area under the receiver operating characteristic; ties count half. 1/2 by chance; NaN
    where all or none are marked.
    """
    from scipy.stats import rankdata

    marked = np.asarray(marks, np.float64)
    ranks = rankdata(scores, axis=-1)
    there = marked.sum(axis=-1)
    others = marked.shape[-1] - there
    above = (ranks * marked).sum(axis=-1) - 0.5 * there * (there + 1.0)
    nothing = np.full(np.shape(there), np.nan)
    pairs = there * others
    return np.asarray(np.divide(above, pairs, out=nothing, where=pairs > 0.0))


def average_precision(marks: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the mean, over marked objects, of the share of marked ones down to each.

    Parameters
    ----------
    marks
        The whole ranking, best first, along the last axis. NaN where none is marked.
    """
    marked = np.asarray(marks, np.float64)
    precision = np.cumsum(marked, axis=-1) / np.arange(1, marked.shape[-1] + 1)
    there = marked.sum(axis=-1)
    nothing = np.full(np.shape(there), np.nan)
    return np.asarray(
        np.divide((precision * marked).sum(axis=-1), there, out=nothing, where=there > 0.0)
    )
