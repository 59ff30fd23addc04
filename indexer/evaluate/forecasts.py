"""Formulas for statements with an uncertainty: intervals, distributions, probabilities of classes.

The probability integral transform (PIT) of a distribution is the probability that it gives to
values below the truth: uniform over many objects if the distributions are right (Dawid 1984).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from indexer.evaluate.measures import Interval

__all__ = [
    "covered",
    "distance_from_uniform",
    "expected_distance",
    "reliability",
    "shares_in_bins",
    "uniformity",
    "weighted_pit",
]

KOLMOGOROV_95 = 1.3581
"""The distance of two distribution functions exceeds this over sqrt(n) in 5 % of samples."""

_MEAN_KOLMOGOROV = np.sqrt(0.5 * np.pi) * np.log(2.0)


def covered(
    low: Float64[np.ndarray, " n"],
    high: Float64[np.ndarray, " n"],
    true: Float64[np.ndarray, " n"],
) -> Float64[np.ndarray, " n"]:
    """Return 1 where an interval, its ends included, holds the truth, else 0; NaN of unknown."""
    known = np.isfinite(low) & np.isfinite(high) & np.isfinite(true)
    return np.where(known, ((low <= true) & (true <= high)).astype(np.float64), np.nan)


def weighted_pit(
    values: Float64[np.ndarray, "q k"],
    weights: Float64[np.ndarray, "q k"],
    true: Float64[np.ndarray, " q"],
) -> Float64[np.ndarray, " q"]:
    """Return the PIT of weighted values: the share of the weights below the truth.

    Half of what stands exactly at the truth counts, so that the average of a right distribution
    stays 1/2. Weights need not sum to 1; NaN where all are 0 or the truth is unknown.
    """
    total = weights.sum(axis=1)
    here = true[:, None]
    below = (weights * (values < here)).sum(axis=1) + 0.5 * (weights * (values == here)).sum(axis=1)
    nothing = np.full(len(true), np.nan)
    return np.asarray(np.divide(below, total, out=nothing, where=(total > 0.0) & np.isfinite(true)))


def distance_from_uniform(pit: Float64[np.ndarray, " n"]) -> float:
    """Return the Kolmogorov-Smirnov distance of values in 0 to 1 from a uniform distribution.

    NaN values are passed over; NaN of none.
    """
    values = np.sort(np.asarray(pit, np.float64)[~np.isnan(pit)])
    count = len(values)
    if not count:
        return float("nan")
    steps = np.arange(count + 1) / count
    return float(max(np.max(steps[1:] - values), np.max(values - steps[:-1])))


def expected_distance(count: int) -> float:
    """Return the mean of `distance_from_uniform` of `count` values that are uniform.

    sqrt(pi / 2) ln 2 / sqrt(n), the mean of Kolmogorov's distribution, right for many values.
    """
    return float(_MEAN_KOLMOGOROV / np.sqrt(count)) if count else float("nan")


def uniformity(pit: Float64[np.ndarray, " n"]) -> Interval:
    """Return `distance_from_uniform` with an interval that holds the true distance in 95 %.

    The distance of the sample differs from that of the population by no more than sample and
    population do from each other, which Kolmogorov's distribution bounds. A bootstrap would not
    do: what is drawn again has a larger distance than the sample itself.
    """
    count = int((~np.isnan(pit)).sum())
    if not count:
        return Interval(np.nan, np.nan, np.nan, 0)
    value, margin = distance_from_uniform(pit), KOLMOGOROV_95 / float(np.sqrt(count))
    return Interval(value, max(0.0, value - margin), min(1.0, value + margin), count)


def shares_in_bins(pit: Float64[np.ndarray, " n"], bins: int) -> Float64[np.ndarray, " bins"]:
    """Return the shares of values in equal bins of 0 to 1; all 1 / bins if they are uniform."""
    known = pit[~np.isnan(pit)]
    counts, _ = np.histogram(known, bins=bins, range=(0.0, 1.0))
    return np.asarray(counts / max(len(known), 1))


def reliability(
    stated: Float64[np.ndarray, " n"], right: Float64[np.ndarray, " n"], bins: int
) -> Sequence[dict[str, Any]]:
    """Return, for equal bins of stated probability, its mean, how often it came true, and counts.

    Empty bins are left out.
    """
    place = np.minimum((np.asarray(stated) * bins).astype(np.int64), bins - 1)
    table = []
    for number in np.unique(place).tolist():
        inside = place == number
        table.append(
            {
                "stated": float(stated[inside].mean()),
                "observed": float(right[inside].mean()),
                "objects": int(inside.sum()),
            }
        )
    return table
