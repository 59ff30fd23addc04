"""Numbers read from neighbours: the recipe of AstroCLIP, cosine neighbours, and plain baselines."""

from typing import Any

import numpy as np
from jaxtyping import Float64

from indexer.evaluate.searches import Lists

__all__ = ["mean_of_neighbours", "neighbour_weights", "ridge", "standardised"]

RIDGE = 1e-3
"""Penalty of the linear baseline, in units of the mean variance of the features."""

_SMALLEST_DISTANCE = 1e-9


def neighbour_weights(lists: Lists, *, cosine: bool) -> Float64[np.ndarray, "q k"]:
    """Return inverse distances; 0 behind the end of a list.

    Parameters
    ----------
    cosine
        Scores are cosines of unit vectors, whose distance is sqrt(2 - 2 cosine); else they are
        negative distances.
    """
    scores = np.nan_to_num(lists.scores, nan=-1.0 if cosine else 0.0)
    distance = np.sqrt(np.maximum(2.0 - 2.0 * scores, 0.0)) if cosine else -scores
    inverse = 1.0 / np.maximum(distance, _SMALLEST_DISTANCE)
    return np.asarray(np.where(lists.numbers < 0, 0.0, inverse))


def mean_of_neighbours(
    lists: Lists, values: Float64[np.ndarray, " n"], weights: Float64[np.ndarray, "q k"]
) -> Float64[np.ndarray, " q"]:
    """Return the weighted mean of the neighbours' values; NaN of a query without any."""
    found = lists.take(values, np.nan)
    weights = np.where(np.isfinite(found), weights, 0.0)
    total = weights.sum(axis=1)
    summed = (weights * np.nan_to_num(found)).sum(axis=1)
    nothing = np.full(len(total), np.nan)
    return np.asarray(np.divide(summed, total, out=nothing, where=total > 0.0))


def standardised(
    train: np.ndarray[Any, Any], test: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Give every dimension mean 0 and deviation 1 on the training rows."""
    mean, spread = train.mean(axis=0), train.std(axis=0)
    spread = np.where(spread > 0.0, spread, 1.0)
    return (train - mean) / spread, (test - mean) / spread


def ridge(
    train: np.ndarray[Any, Any], values: Float64[np.ndarray, " n"], test: np.ndarray[Any, Any]
) -> Float64[np.ndarray, " q"]:
    """Return a linear prediction with a small penalty on its coefficients."""
    x, asked = standardised(np.asarray(train, np.float64), np.asarray(test, np.float64))
    gram = x.T @ x / len(x)
    penalty = RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    slope = np.linalg.solve(gram + penalty, x.T @ (values - values.mean()) / len(x))
    return np.asarray(asked @ slope + values.mean())
