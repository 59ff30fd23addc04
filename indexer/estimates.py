"""What labelled neighbours say of a query, in numbers: weights, quantiles, votes, intervals.

Weights. A neighbour at the distance d (d^2 = 2 - 2 cosine, of unit vectors) has the weight
exp(-2 (d / D)^2), D being the distance of the farthest neighbour used: 1 at the query itself, 0.14
there.

Intervals. A quantile of sixteen neighbours is a poor 95 % interval, and a biased one where the
property changes among them. So each property is first read for labelled objects of the index,
their own source left out, and the errors in units of the spread of their neighbours are kept. The
interval of a query spans, about its median, the quantiles of these errors that hold the coverage
asked for in objects not seen before (split conformal prediction with a scaled score: Lei et al.
2018, JASA 113, 1094, section 5.2). Only errors of objects whose neighbours spread about as much
are used (Mondrian conformal prediction: Vovk et al. 2005, section 4.5): else the many stars, whose
redshifts agree to 1e-4, would make the intervals of galaxies too narrow. It is right on average
over objects like those of the index with such a spread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, inf, nan
from typing import Any

import numpy as np
from jaxtyping import Float64

from indexer.queries import plain_number

__all__ = [
    "ClassEstimate",
    "Errors",
    "Estimate",
    "NoEstimate",
    "NumberEstimate",
    "class_votes",
    "effective_number",
    "errors_of",
    "neighbour_weights",
    "spread_of",
    "weighted_quantile",
]

SHARE_68, SHARE_95 = 0.68, 0.95
_STEEPNESS = 2.0

GROUP = 200
"""Objects behind the intervals of one group: 5 lie beyond either end of one of 95 %."""


def neighbour_weights(scores: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Return the weights of neighbours by their cosines; they sum to 1."""
    squares = np.maximum(2.0 - 2.0 * np.asarray(scores, dtype=np.float64), 0.0)
    farthest = squares.max()
    raw = np.exp(-_STEEPNESS * squares / farthest) if farthest > 0.0 else np.ones(len(squares))
    return np.asarray(raw / raw.sum())


def effective_number(weights: Float64[np.ndarray, " n"]) -> float:
    """Return (sum w)^2 / sum w^2: how many neighbours of equal weight say as much (Kish 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def weighted_quantile(
    values: Float64[np.ndarray, " n"],
    weights: Float64[np.ndarray, " n"],
    levels: Sequence[float],
) -> Float64[np.ndarray, " levels"]:
    """Return quantiles of weighted values.

    The i-th smallest stands at the level (sum of the weights before it + half its own) / sum of
    all; between two it is linear, beyond the first and the last it is these.
    """
    order = np.argsort(values, kind="stable")
    sorted_weights = weights[order]
    places = (np.cumsum(sorted_weights) - 0.5 * sorted_weights) / sorted_weights.sum()
    return np.asarray(np.interp(levels, places, values[order]))


def spread_of(values: Float64[np.ndarray, " n"], weights: Float64[np.ndarray, " n"]) -> float:
    """Return half the distance of the 16 % from the 84 % quantile."""
    low, high = weighted_quantile(values, weights, (0.16, 0.84))
    return float(0.5 * (high - low))


def class_votes(classes: Sequence[str], weights: Float64[np.ndarray, " n"]) -> dict[str, float]:
    """Return the share of the weights of each class, the largest first, ties by name."""
    shares: dict[str, float] = {}
    for name, weight in zip(classes, weights.tolist(), strict=True):
        shares[name] = shares.get(name, 0.0) + weight
    total = sum(shares.values())
    ranked = sorted(shares.items(), key=lambda each: (-round(each[1], 12), each[0]))
    return {name: share / total for name, share in ranked}


@dataclass(frozen=True, eq=False)
class Errors:
    """Errors of one property, for labelled objects of the index read like a query.

    Made by `errors_of`.

    Attributes
    ----------
    scaled
        (truth - median) / spread, ascending, for each group of objects with a similar spread.
    edges
        Largest spread of each group but the last, ascending.
    smallest_spread
        Added to every spread, so that neighbours which agree by chance claim no certainty.
    coverage
        Share of these objects that their 68 % and 95 % intervals hold; see `errors_of`.
    between
        The smallest and the largest value that is known: no interval reaches farther. An object
        beyond all of n known ones is met once in (n + 1) / 2 times.
    """

    scaled: tuple[Float64[np.ndarray, " n"], ...]
    edges: Float64[np.ndarray, " groups_less_one"]
    smallest_spread: float
    coverage: tuple[float, float] = (nan, nan)
    between: tuple[float, float] = (-inf, inf)

    def interval(self, median: float, spread: float, coverage: float) -> tuple[float, float]:
        """Return the interval of a query about its median.

        The ranks leave (1 - coverage) / 2 of n + 1 objects on either side, rounded outwards.
        """
        scaled = self.scaled[int(np.searchsorted(self.edges, spread, side="left"))]
        low, high = _ends(scaled, coverage)
        scale = spread + self.smallest_spread
        ends = np.clip([median + scale * low, median + scale * high], *self.between)
        return float(ends[0]), float(ends[1])


def errors_of(
    errors: Float64[np.ndarray, " n"], spreads: Float64[np.ndarray, " n"], smallest_spread: float
) -> Errors:
    """Group errors by the spread of the neighbours behind them, and measure what intervals hold.

    Every group has `GROUP` objects at least, and equal spreads are in one; fewer than twice as
    many make one group. Every other object is judged by the errors of the rest, and these by
    theirs: none by its own.

    Parameters
    ----------
    errors
        Truth less median of each object, in any order that says nothing of its error.
    spreads
        Of the neighbours.
    smallest_spread
        As in `Errors`.
    """
    halves = slice(0, None, 2), slice(1, None, 2)
    inside = np.zeros(2)
    for judged, others in (halves, halves[::-1]):
        if not len(errors[others]):
            continue
        rest = _grouped(errors[others], spreads[others], smallest_spread)
        for error, spread in zip(errors[judged].tolist(), spreads[judged].tolist(), strict=True):
            for at, share in enumerate((SHARE_68, SHARE_95)):
                low, high = rest.interval(0.0, spread, share)
                inside[at] += low <= error <= high
    held = inside / len(errors)
    whole = _grouped(errors, spreads, smallest_spread)
    return replace(whole, coverage=(float(held[0]), float(held[1])))


def _grouped(
    errors: Float64[np.ndarray, " n"], spreads: Float64[np.ndarray, " n"], smallest_spread: float
) -> Errors:
    order = np.argsort(spreads, kind="stable")
    ascending, scaled = spreads[order], (errors / (spreads + smallest_spread))[order]
    starts, start = [0], 0
    while len(ascending) - start >= 2 * GROUP:
        edge = ascending[start + GROUP - 1]
        start = int(np.searchsorted(ascending, edge, side="right"))
        if len(ascending) - start < GROUP:
            break
        starts.append(start)
    groups = np.split(scaled, starts[1:])
    edges = ascending[np.array(starts[1:], np.int64) - 1]
    return Errors(tuple(np.sort(each) for each in groups), edges, smallest_spread)


def _ends(scaled: Float64[np.ndarray, " n"], coverage: float) -> tuple[float, float]:
    count, tail = len(scaled), 0.5 * (1.0 - coverage)
    low = max(floor((count + 1) * tail), 1) - 1
    high = min(ceil((count + 1) * (1.0 - tail)), count) - 1
    return float(scaled[low]), float(scaled[high])


@dataclass(frozen=True, eq=False)
class NumberEstimate:
    """A number, such as a redshift, from labelled neighbours.

    Attributes
    ----------
    name
        Of the property.
    median
        Weighted median of the neighbours.
    interval_68, interval_95
        Ends of the intervals.
    calibrated
        Whether the coverage of the intervals was calibrated; else they are plain quantiles of the
        neighbours.
    effective_number
        Of neighbours.
    keys, values, weights
        The neighbours, nearest first: the weighted distribution itself.
    coverage
        Shares of labelled objects of the index whose 68 % and 95 % intervals hold the truth, their
        own error apart; NaN where it was not measured.
    """

    name: str
    median: float
    interval_68: tuple[float, float]
    interval_95: tuple[float, float]
    calibrated: bool
    effective_number: float
    keys: tuple[str, ...]
    values: Float64[np.ndarray, " n"]
    weights: Float64[np.ndarray, " n"]
    coverage: tuple[float, float] = (nan, nan)

    def document(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {
            "name": self.name,
            "kind": "number",
            "median": _short(self.median),
            "interval_68": [_short(end) for end in self.interval_68],
            "interval_95": [_short(end) for end in self.interval_95],
            "calibrated": self.calibrated,
            "coverage": [_short(share) for share in self.coverage],
            "effective_number": _short(self.effective_number),
            "neighbours": _neighbours(self.keys, [_short(v) for v in self.values], self.weights),
        }


@dataclass(frozen=True, eq=False)
class ClassEstimate:
    """A class from labelled neighbours.

    Attributes
    ----------
    name
        Of the property.
    probabilities
        Share of the weights per class, the largest first.
    right
        Share of labelled objects of the index whose class the same vote gives; NaN where it was
        not measured.
    effective_number, keys, values, weights
        As in `NumberEstimate`.
    """

    name: str
    probabilities: Mapping[str, float]
    right: float
    effective_number: float
    keys: tuple[str, ...]
    values: tuple[str, ...]
    weights: Float64[np.ndarray, " n"]

    @property
    def best(self) -> str:
        """The class with the largest share."""
        return next(iter(self.probabilities))

    def document(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {
            "name": self.name,
            "kind": "class",
            "best": self.best,
            "probabilities": {name: _short(p) for name, p in self.probabilities.items()},
            "right": _short(self.right),
            "effective_number": _short(self.effective_number),
            "neighbours": _neighbours(self.keys, list(self.values), self.weights),
        }


@dataclass(frozen=True)
class NoEstimate:
    """No labelled neighbour is near enough, or there are too few; an answer with its reason."""

    name: str
    reason: str

    def document(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {"name": self.name, "kind": "none", "reason": self.reason}


Estimate = NumberEstimate | ClassEstimate | NoEstimate


def _short(value: float) -> float | None:
    return plain_number(np.float32(value))


def _neighbours(
    keys: Sequence[str], values: Sequence[Any], weights: Float64[np.ndarray, " n"]
) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": value, "weight": _short(weight)}
        for key, value, weight in zip(keys, values, weights, strict=True)
    ]
